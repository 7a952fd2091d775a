import { Injectable } from '@nestjs/common';
import { isOutage } from '../common/outage';
import { Servers } from '../connection/servers/servers';
import { TenantContext } from '../context/tenant-context';
import { DEFAULT_SERVER } from '../placement/place';
import { ServerMismatchError, ServerNotReadyError, ServerUnknownError } from '../placement/placement.errors';

/** A further server cannot be reached, or is not as it must be. The work on the fleet goes on without it. */
export class ServerLeftOutError extends Error {
  constructor(
    readonly server: string,
    override readonly cause: unknown,
  ) {
    super(cause instanceof Error ? cause.message : String(cause));
  }
}

/** The servers that the fleet lives on. */
@Injectable()
export class FleetServers {
  constructor(
    private readonly context: TenantContext,
    private readonly servers: Servers,
  ) {}

  /** The names of all, the registry's first. */
  get names(): readonly string[] {
    return this.servers.names;
  }

  /**
   * What `work` gives, which works for the system on that server.
   *
   * @throws ServerLeftOutError when a further server is away; an outage of the registry's own is thrown as it came
   */
  on<T>(server: string, work: () => Promise<T>): Promise<T> {
    return orLeftOut(server, () => this.context.runAsSystem(work, server));
  }

  /**
   * Does `work` on each of these servers, one after the other.
   *
   * @throws ServerLeftOutError at the end, when one was away
   */
  async onEach(servers: readonly string[], work: (server: string) => Promise<void>): Promise<void> {
    let away: ServerLeftOutError | undefined;
    for (const server of servers) {
      await this.on(server, () => work(server)).catch((error: unknown) => {
        if (!(error instanceof ServerLeftOutError)) throw error;
        away ??= error;
      });
    }
    if (away) throw away;
  }
}

/** What `work` gives. When its error says that a further server is away, it is thrown as a ServerLeftOutError. */
export async function orLeftOut<T>(server: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (server === DEFAULT_SERVER || error instanceof ServerLeftOutError || !saysAway(error)) throw error;
    throw new ServerLeftOutError(server, error);
  }
}

/** Whether an error says that a server is away, or that it must not be used as it is. */
export function saysAway(error: unknown): boolean {
  if (isOutage(error) || error instanceof ServerLeftOutError) return true;
  if (
    error instanceof ServerUnknownError ||
    error instanceof ServerMismatchError ||
    error instanceof ServerNotReadyError
  )
    return true;
  const cause = error instanceof Error ? error.cause : undefined;
  return cause !== undefined && saysAway(cause);
}

/** What a report says of a server that was left out. */
export function tellLeftOut(server: string, why: string): string {
  const sentence = /[.!?]$/.test(why) ? why : `${why}.`;
  return `The server "${server}" was left out: ${sentence} Its tenants count as not reached: run again when that is mended.`;
}
