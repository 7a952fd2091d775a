import type { TenantContext } from '../../context/tenant-context';
import type { Tenant } from '../../registry/tenant';

/** One promise of an adapter. `run` throws `Found` when it is not kept. */
export interface Check {
  readonly name: string;
  readonly run: () => Promise<void>;
}

/** Two tenants that all checks share. */
export interface Pair {
  readonly acme: Tenant;
  readonly globex: Tenant;
}

/** What a check has found, as opposed to an error of the adapter. */
export class Found extends Error {}

export function need(isSo: boolean, finding: string): void {
  if (!isSo) throw new Found(finding);
}

/** For nobody and for the system, `work` must throw or reject with `TENANT_REQUIRED`. */
export async function needRefusals(context: TenantContext, name: string, work: () => unknown): Promise<void> {
  const asked = async () => await work();
  const attempts: Record<string, () => Promise<unknown>> = {
    'outside of any tenant': () => context.runInFrame(undefined, asked),
    'for the system': () => context.runAsSystem(asked),
  };
  for (const [where, attempt] of Object.entries(attempts)) {
    const code = await attempt().then(
      () => undefined,
      (error: unknown) => codeOf(error) ?? String(error),
    );
    need(code !== undefined, `${name} was not refused ${where}`);
    need(code === 'TENANT_REQUIRED', `${name} ${where} failed with ${code}, not TENANT_REQUIRED`);
  }
}

function codeOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | undefined)?.code;
  return typeof code === 'string' ? code : undefined;
}

/** A value in a finding. */
export function show(value: unknown): string {
  return value === undefined ? 'not there' : JSON.stringify(value);
}
