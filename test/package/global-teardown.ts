import { rm } from 'node:fs/promises';
import stopServer from '../support/global-teardown';
import { packed } from './packed';

export default async function globalTeardown(): Promise<void> {
  await rm(packed().folder, { recursive: true, force: true });
  await stopServer();
}
