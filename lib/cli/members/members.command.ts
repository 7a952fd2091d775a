import { Command, Option, SubCommand } from 'nest-commander';
import { isUuid } from '../../registry/claim';
import { MembersService } from '../../members/members.service';
import type { Member } from '../../members/member';
import { TenantLifecycle } from '../../provisioning/tenant-lifecycle';
import { CommandGroup } from '../command-group';
import { CommandLineError } from '../cli.errors';
import { integer } from '../option-values';
import { list, table } from '../table';
import { type Answer, type CommonOptions, TenancyCommand } from '../tenancy-command';
import { AuditedCommand, type AuditedOptions, byWhom } from '../tenant/audited-command';

const MODULE = 'TenancyMembersModule';
const DEFAULT_LIMIT = 100;

interface ListMembersOptions extends CommonOptions {
  readonly email?: string;
  readonly limit?: number;
  readonly after?: string;
}

@SubCommand({
  name: 'list',
  arguments: '<tenant>',
  description: 'list the members of a tenant in the order in which they joined',
})
export class ListMembersCommand extends TenancyCommand<ListMembersOptions> {
  protected readonly examples = [
    'tenancy members list acme',
    'tenancy members list acme --email ann@example.com --json',
  ];

  @Option({ flags: '--email <address>', description: 'only those with this address' })
  parseEmail(email: string): string {
    return email;
  }

  @Option({ flags: '--limit <n>', description: `how many, from 1 to 1000 (default: ${DEFAULT_LIMIT})` })
  parseLimit(limit: string): number {
    return integer('--limit', limit, 1, 1000);
  }

  @Option({ flags: '--after <id>', description: 'continue after this member' })
  parseAfter(id: string): string {
    if (!isUuid(id)) throw new CommandLineError(`--after must be the id of a member, got "${String(id)}".`);
    return id;
  }

  protected async work([reference]: readonly string[], options: ListMembersOptions): Promise<Answer> {
    const { email, limit = DEFAULT_LIMIT, after: afterId } = options;
    const members = await this.application.get(MembersService, 'look', options, MODULE);
    const lifecycle = await this.application.get(TenantLifecycle, 'look', options);
    const found = await members.list(await lifecycle.get(reference), { limit: limit + 1, afterId, email });
    const data = found.slice(0, limit);
    const next = found.length > limit ? data.at(-1)?.id : undefined;
    const more = next === undefined ? '' : `\nThere are more: --after ${next}`;
    return { value: { data, after: next ?? null }, text: toTable(data) + more };
  }
}

interface AddMemberOptions extends AuditedOptions {
  readonly issuer?: string;
  readonly email?: string;
  readonly name?: string;
  readonly roles?: readonly string[];
  readonly scopes?: readonly string[];
}

@SubCommand({
  name: 'add',
  arguments: '<tenant> <subject>',
  description: 'make a subject a member of a tenant; without --roles as a member',
})
export class AddMemberCommand extends AuditedCommand<AddMemberOptions> {
  protected readonly examples = [
    'tenancy members add acme 24400320 --issuer https://login.example --roles owner',
    'tenancy members add acme ann --email ann@example.com --scopes orders:read',
  ];

  @Option({
    flags: '--issuer <iss>',
    description: 'the iss of their tokens (default: none, a subject of the application)',
  })
  parseIssuer(issuer: string): string {
    return issuer;
  }

  @Option({ flags: '--email <address>', description: 'their address' })
  parseEmail(email: string): string {
    return email;
  }

  @Option({ flags: '--name <text>', description: 'their name' })
  parseName(name: string): string {
    return name;
  }

  @Option({ flags: '--roles <list>', description: 'their roles: admin,clerk' })
  parseRoles(roles: string): readonly string[] {
    return named(roles);
  }

  @Option({ flags: '--scopes <list>', description: 'what they may do besides: orders:read' })
  parseScopes(scopes: string): readonly string[] {
    return named(scopes);
  }

  protected async work([reference, subject]: readonly string[], options: AddMemberOptions): Promise<Answer> {
    const members = await this.application.get(MembersService, 'keys', options, MODULE);
    const lifecycle = await this.application.get(TenantLifecycle, 'keys', options);
    const { issuer, email, name, roles, scopes } = options;
    const input = { subject, issuer, email, name, roles, scopes };
    const member = await members.add(await lifecycle.get(reference), input, byWhom(options));
    return { value: member, text: toList(member) };
  }
}

@SubCommand({
  name: 'remove',
  arguments: '<tenant> <member>',
  description: 'end a membership, by the id of the member',
})
export class RemoveMemberCommand extends AuditedCommand {
  protected readonly examples = ['tenancy members remove acme 01930000-0000-7000-8000-000000000001'];

  protected async work([reference, id]: readonly string[], options: AuditedOptions): Promise<Answer> {
    const members = await this.application.get(MembersService, 'keys', options, MODULE);
    const lifecycle = await this.application.get(TenantLifecycle, 'keys', options);
    const tenant = await lifecycle.get(reference);
    await members.remove(tenant, id, byWhom(options));
    return { value: { removed: id }, text: list({ removed: id, tenant: tenant.slug }) };
  }
}

@Command({
  name: 'members',
  description: 'list, add and remove members of tenants, in an application with TenancyMembersModule',
  subCommands: [ListMembersCommand, AddMemberCommand, RemoveMemberCommand],
})
export class MembersCommand extends CommandGroup {}

function named(names: string): readonly string[] {
  return names.split(',').map((name) => name.trim());
}

function toTable(members: readonly Member[]): string {
  if (members.length === 0) return 'No member.';
  return table(
    ['member', 'subject', 'status', 'roles', 'email', 'issuer'],
    members.map(({ id, subject, status, roles, email, issuer }) => [
      ...[id, subject, status, roles.join(' ') || '–'],
      ...[email ?? '–', issuer || '–'],
    ]),
  );
}

function toList({ id, subject, issuer, email, roles, scopes }: Member): string {
  return list({
    member: id,
    subject,
    issuer: issuer || '–',
    email: email ?? '–',
    roles: roles.join(' ') || '–',
    scopes: scopes.join(' ') || '–',
  });
}
