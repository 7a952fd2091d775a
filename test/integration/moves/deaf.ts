import { TenantChangeFeed } from '../../../lib/registry/changes/tenant-changes';
import { TenantChangesListener } from '../../../lib/registry/changes/tenant-changes-listener';
import type { TestApp } from '../../support/test-app';

/** Starts an application that hears of no change, and does not know that it hears of none. */
export async function startDeaf<App extends TestApp>(start: () => Promise<App>): Promise<App> {
  const subscribe = jest.spyOn(TenantChangesListener.prototype, 'subscribe').mockReturnValue(undefined);
  try {
    const app = await start();
    const isProven = { get: () => Infinity, set: () => undefined };
    Object.defineProperty(app.app.get(TenantChangeFeed), 'provenAt', isProven);
    return app;
  } finally {
    subscribe.mockRestore();
  }
}
