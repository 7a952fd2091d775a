import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Type } from '@nestjs/common';
import ts from 'typescript';
import { declarationOf, type DeclaredOption } from '../../lib/common/options/option.decorator';
import { CheckedAccessExtras, CheckedAccessOptions } from '../../lib/access/access.options';
import { CheckedAdminExtras, CheckedAdminOptions } from '../../lib/admin/admin.options';
import { CheckedBullmqOptions } from '../../lib/bullmq/bullmq.options';
import { CheckedCacheOptions } from '../../lib/cache/cache.options';
import { CheckedDomainsOptions } from '../../lib/domains/domains.options';
import { CheckedEventsExtras, CheckedEventsOptions } from '../../lib/events/events.options';
import { CheckedFollowOptions } from '../../lib/events/follow.options';
import { CheckedOnTenantEventOptions } from '../../lib/events/on-tenant-event.decorator';
import { CheckedFilesExtras, CheckedFilesOptions } from '../../lib/files/files.options';
import { CheckedS3Options } from '../../lib/files/s3/s3.options';
import { CheckedConnectionOptions } from '../../lib/connection/connection.options';
import { CheckedFurtherOptions } from '../../lib/connection/typeorm/typeorm.options';
import { CheckedJwtOptions } from '../../lib/jwt/jwt.options';
import { CheckedNodemailerOptions } from '../../lib/members/invitations/nodemailer-mailer';
import { CheckedMembersExtras, CheckedMembersOptions } from '../../lib/members/members.options';
import { CheckedObservabilityOptions } from '../../lib/observability/observability.options';
import { CheckedProvisioningOptions } from '../../lib/provisioning/provisioning.options';
import { CheckedRegistryOptions } from '../../lib/registry/registry.options';
import { CheckedResolutionOptions } from '../../lib/resolution/resolution.options';
import { CheckedRedisStoreOptions } from '../../lib/redis/redis-tenant.store';
import { CheckedScheduleOptions } from '../../lib/schedule/schedule.options';
import { CheckedTenantCronOptions } from '../../lib/schedule/tenant-cron.decorator';
import { CheckedSettingsExtras, CheckedSettingsOptions } from '../../lib/settings/settings.options';
import { CheckedThrottlingOptions } from '../../lib/throttling/throttling.options';
import { CheckedTransportsOptions } from '../../lib/transports/transports.options';
import { CheckedUsageExtras, CheckedUsageOptions } from '../../lib/usage/usage.options';
import { CheckedWebhooksExtras, CheckedWebhooksOptions } from '../../lib/webhooks/webhooks.options';
import { REPOSITORY } from './commands';

/** The sections of the page, and which classes declare what is in them. */
const SECTIONS: readonly (readonly [title: string, declared: readonly Type<object>[]])[] = [
  ['Database and entities', [CheckedConnectionOptions]],
  ['Requests', [CheckedResolutionOptions]],
  ['Registry and look-ups', [CheckedRegistryOptions]],
  ["Template and tenants' life", [CheckedProvisioningOptions]],
  ['TypeORM', [CheckedFurtherOptions]],
  ['`TenancyAccessModule`', [CheckedAccessOptions, CheckedAccessExtras]],
  ['`TenancyAdminModule`', [CheckedAdminOptions, CheckedAdminExtras]],
  ['`TenancyBullmqModule`', [CheckedBullmqOptions]],
  ['`TenancyCacheModule`', [CheckedCacheOptions]],
  ['`TenancyDomainsModule`', [CheckedDomainsOptions]],
  ['`TenancyEventsModule`', [CheckedEventsOptions, CheckedEventsExtras]],
  ['`TenancyFilesModule`', [CheckedFilesOptions, CheckedFilesExtras]],
  ['`S3FileStore`', [CheckedS3Options]],
  ['`TenancyMembersModule`', [CheckedMembersOptions, CheckedMembersExtras]],
  ['`nodemailerMailer()`', [CheckedNodemailerOptions]],
  ['`TenancyObservabilityModule`', [CheckedObservabilityOptions]],
  ['`TenancyScheduleModule`', [CheckedScheduleOptions]],
  ['`TenancySettingsModule`', [CheckedSettingsOptions, CheckedSettingsExtras]],
  ['`TenancyThrottlingModule`', [CheckedThrottlingOptions]],
  ['`TenancyTransportsModule`', [CheckedTransportsOptions]],
  ['`new RedisTenantStore()`', [CheckedRedisStoreOptions]],
  ['`TenancyUsageModule`', [CheckedUsageOptions, CheckedUsageExtras]],
  ['`TenancyWebhooksModule`', [CheckedWebhooksOptions, CheckedWebhooksExtras]],
  ['`fromJwtClaim()`', [CheckedJwtOptions]],
  ['`@TenantCron()`', [CheckedTenantCronOptions]],
  ['`@OnTenantEvent()`', [CheckedOnTenantEventOptions]],
  ['`EventFollower.follow()`', [CheckedFollowOptions]],
];

export interface DocumentedOption extends DeclaredOption {
  /** With the groups that it is in: `database.poolSize`. */
  readonly path: string;
  readonly documentation: string;
  /** What the class sets it to. */
  readonly standard: unknown;
  /** Of those that an optional module takes from elsewhere, they say nothing. */
  readonly variables: readonly string[];
}

/** `docs/options.md`, made from the declarations. */
export function optionsPage(): string {
  const documented = SECTIONS.map(
    ([title, declared]) => [title, declared.flatMap((each) => optionsOf(each))] as const,
  );
  const variables = documented.flatMap(([, options]) =>
    options
      .filter((each) => each.variables.length > 0)
      .map((each) => [each.variables.map(code).join(', then '), code(each.path)] as const),
  );
  return [
    '# Options',
    '',
    '<!-- Made by `npm run docs:options` from the declarations in lib: change it there. -->',
    '',
    'What `TenancyModule.forRoot()` takes, and behind it what the optional modules take. `forRootAsync({ imports, inject,',
    'useFactory })`, with `useClass` and `useExisting` too, takes the same from elsewhere.',
    '',
    'Options are checked at start, and all that is wrong, a misspelled name too, is said at once. What the code leaves out',
    'may come from a [variable](#variables).',
    '',
    ...documented.flatMap(([title, options]) => [`## ${title}`, '', ...options.map(entry), '']),
    '## Variables',
    '',
    'A variable counts where the code is silent. An empty one counts as unset. Lists are separated by commas, switches are',
    '`true` or `false`, numbers are integers.',
    '',
    ...table(['variable', 'option'], variables),
    '',
    'The command line reads two more: `TENANCY_MODULE` ([where the application is](cli.md#where-the-application-is)) and',
    '`TENANCY_EXPORT_KEY` ([export and import](cli.md#export-and-import)).',
    '',
  ].join('\n');
}

/** The options that a class declares, with those of the groups in it. */
export function optionsOf(declared: Type<object>, prefix = '', hasVariables = true): DocumentedOption[] {
  const defaults = new declared() as Record<string, unknown>;
  return [...declarationOf(declared).options].flatMap(([name, option]) => {
    const path = `${prefix}${name}`;
    const own: DocumentedOption = {
      ...option,
      path,
      documentation: documentationOf(declared, name),
      standard: defaults[name],
      variables: hasVariables ? [option.variable ?? []].flat() : [],
    };
    const { group, variables = true } = option.kind;
    return group ? [own, ...optionsOf(group, `${path}.`, hasVariables && variables)] : [own];
  });
}

/** All options of all modules. */
export function allOptions(): DocumentedOption[] {
  return SECTIONS.flatMap(([, declared]) => declared.flatMap((each) => optionsOf(each)));
}

function entry({ path, documentation, required }: DocumentedOption): string {
  const [text, see] = documentation.split('@see ');
  const more = see === undefined ? '' : ` [More](${see.trim().replace(/^docs\//, '')})`;
  return `- ${code(path)}${required ? ' (required)' : ''}: ${text.replace(/\s+/g, ' ').trim()}${more}`;
}

const code = (text: string) => `\`${text}\``;

function table(head: readonly [string, string], rows: readonly (readonly [string, string])[]): string[] {
  const widths = [0, 1].map((column) => Math.max(...[head, ...rows].map((row) => row[column].length)));
  const line = (row: readonly string[]) =>
    `| ${row.map((cell, column) => cell.padEnd(widths[column])).join(' | ')} |`;
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)];
}

const documentations = new Map<string, string>();

/** The documentation of a property, as editors show it: the class's own, or that of the class it extends. */
function documentationOf(declared: Type<object>, property: string): string {
  if (documentations.size === 0) readDocumentation(join(REPOSITORY, 'lib'));
  const own = documentations.get(`${declared.name}.${property}`);
  const parent = Object.getPrototypeOf(declared) as Type<object>;
  return own ?? (parent.name ? documentationOf(parent, property) : '');
}

function readDocumentation(folder: string): void {
  for (const file of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    if (!file.endsWith('.ts') || file.endsWith('.spec.ts')) continue;
    const text = readFileSync(join(folder, file), 'utf8');
    if (!text.includes('@Option(')) continue;
    const source = ts.createSourceFile(file, text, ts.ScriptTarget.ES2023, true);
    for (const statement of source.statements.filter(ts.isClassDeclaration))
      for (const member of statement.members.filter(ts.isPropertyDeclaration))
        documentations.set(
          `${statement.name?.text}.${member.name.getText()}`,
          ts
            .getJSDocCommentsAndTags(member)
            .filter(ts.isJSDoc)
            .map((doc) =>
              doc
                .getText()
                .replace(/^\/\*\*|\*\/$/g, '')
                .replace(/^\s*\* ?/gm, ''),
            )
            .join('\n'),
        );
  }
}
