import { Command } from 'nest-commander';
import { FleetMigrator } from '../../migrations/fleet-migrator';
import { MembersService } from '../../members/members.service';
import { CreateTenantMembers1763601650000 } from '../../members/migrations/1763601650000-create-tenant-members';
import { Orphans } from '../../provisioning/purge/orphans';
import { DEFAULT_SERVER } from '../../placement/place';
import { InvalidTenancyOptionsError } from '../../options/options.errors';
import { EXIT } from '../exit-codes';
import { type Answer, type CommonOptions, TenancyCommand } from '../tenancy-command';
import { examine } from './examine';
import { checkPending } from './pending-checks';
import { checkRolesInUse } from './role-check';
import { checkStore } from './store-check';
import { type Finding, ok, problem, type Severity } from './finding';

const MARKS: Readonly<Record<Severity, string>> = { ok: '✓', warning: '!', problem: '✗', skipped: '-' };

@Command({
  name: 'doctor',
  description: 'check options, PostgreSQL, registry, template and tenants; each finding with its remedy',
})
export class DoctorCommand extends TenancyCommand {
  protected readonly examples = ['tenancy doctor', 'tenancy doctor --json'];

  protected async work(_args: readonly string[], options: CommonOptions): Promise<Answer> {
    const findings = await this.#examine(options);
    const count = (severity: Severity) => findings.filter((finding) => finding.severity === severity).length;
    const [problems, warnings] = [count('problem'), count('warning')];
    return {
      value: { problems, warnings, findings },
      text: [...findings.map(toText), `problems: ${problems}, warnings: ${warnings}`].join('\n'),
      exitCode: problems > 0 ? EXIT.findings : EXIT.done,
    };
  }

  async #examine(options: CommonOptions): Promise<Finding[]> {
    try {
      const configured = await this.application.options(options);
      const found = await examine(configured, this.application.registryMigrations);
      const started = await this.#checkStart(options);
      const told = new Set(found.map(({ message }) => message));
      // When the server cannot be reached, the start fails with the same message.
      const more = started.filter(({ message }) => !told.has(message));
      return [ok('options', 'are complete and agree'), ...found, ...more];
    } catch (error) {
      if (!(error instanceof InvalidTenancyOptionsError)) throw error;
      return error.problems.map(({ field, message }) =>
        problem(
          'options',
          `${field} ${message}`,
          'change it where TenancyModule.forRoot() is called, or in the environment',
        ),
      );
    }
  }

  /** Checks everything else that the application needs at its start: hooks, stores, other modules. */
  async #checkStart(options: CommonOptions): Promise<Finding[]> {
    try {
      const migrator = await this.application.get(FleetMigrator, 'look', options);
      return [
        ok('start', 'the application starts'),
        ...(await checkPending(migrator)),
        ...(await this.#checkStore(options)),
        ...(await this.#checkRoles(options)),
      ];
    } catch (error) {
      return [
        problem(
          'start',
          (error as Error).message,
          'do what the message says; --verbose shows where it comes from',
        ),
      ];
    }
  }

  async #checkRoles(options: CommonOptions): Promise<Finding[]> {
    if (!this.application.registryMigrations.includes(CreateTenantMembers1763601650000)) return [];
    return [await checkRolesInUse(await this.application.get(MembersService, 'look', options))];
  }

  async #checkStore(options: CommonOptions): Promise<Finding[]> {
    const { store, servers } = this.application.configured;
    if (!store) return [];
    const orphans = await this.application.get(Orphans, 'look', options);
    return checkStore(orphans, [DEFAULT_SERVER, ...Object.keys(servers)]);
  }
}

function toText({ check, severity, message, remedy }: Finding): string {
  return `${MARKS[severity]} ${check}: ${message}${remedy === undefined ? '' : `\n    ${remedy}`}`;
}
