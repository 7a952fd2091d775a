import { type AddressInfo, createServer } from 'node:net';

const MAX_ATTEMPTS = 5;

/** Starts something on a free port of 127.0.0.1; on another one when somebody was faster. */
export async function onFreePort<T>(start: (port: number) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await start(await freePort());
    } catch (error) {
      const taken = /could not bind|address already in use/i.test((error as Error).message);
      if (!taken || attempt === MAX_ATTEMPTS) throw error;
    }
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer().once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as AddressInfo;
      probe.close(() => resolve(port));
    });
  });
}
