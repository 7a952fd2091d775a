import { CommandLineError } from '../cli.errors';

/** From the environment: what stands on a command line can be read by every user of the machine. */
export function exportKey(): string | undefined {
  const key = process.env.TENANCY_EXPORT_KEY || undefined;
  if (key === undefined || key.length >= 32) return key;
  throw new CommandLineError('TENANCY_EXPORT_KEY must have at least 32 characters: openssl rand -hex 32');
}
