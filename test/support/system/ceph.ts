import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { promisify } from 'node:util';
import { CreateBucketCommand } from '@aws-sdk/client-s3';
import { bucketAt, type TestBucket } from '../stores-of-files';
import { onFreePort } from './free-port';
import { findCeph } from './programs';

const run = promisify(execFile);

/** Longer than a start takes on a busy machine. */
const START_MS = 90_000;

const KEY = 'TESTKEY';
const SECRET = 'testsecret';
const BUCKET = 'files';

/** A bucket in a Ceph of the test's own, which keeps everything in memory: one monitor, one disk, one gateway that speaks S3. */
export function startCeph(): Promise<TestBucket> {
  return onFreePort((monitorPort) =>
    onFreePort(async (port) => {
      const directory = await mkdtemp(join(tmpdir(), 'ceph-'));
      const cluster = new Cluster(directory);
      try {
        await cluster.start(monitorPort, port);
        const bucket = bucketAt(`http://${KEY}:${SECRET}@127.0.0.1:${port}/${BUCKET}`);
        await bucket.client.send(new CreateBucketCommand({ Bucket: BUCKET }));
        return { ...bucket, close: () => bucket.close().then(() => cluster.stop()) };
      } catch (error) {
        await cluster.stop();
        throw error;
      }
    }),
  );
}

class Cluster {
  readonly #children: ChildProcess[] = [];
  readonly #kill = (): void => this.#children.forEach((child) => child.kill('SIGKILL'));

  constructor(private readonly directory: string) {
    process.once('exit', this.#kill);
  }

  async start(monitorPort: number, port: number): Promise<void> {
    const [fsid, disk] = [randomUUID(), randomUUID()];
    for (const folder of ['mon', 'osd', 'rgw', 'run']) await mkdir(join(this.directory, folder));
    await writeFile(this.#path('ceph.conf'), settings(this.directory, fsid, monitorPort, port));
    const keyring = this.#path('keyring');
    for (const name of ['mon.', 'client.admin', 'client.rgw.a', 'osd.0'])
      await run(findCeph('ceph-authtool'), [
        ...(name === 'mon.' ? ['--create-keyring', keyring] : [keyring]),
        ...['--gen-key', '-n', name, '--cap', 'mon', 'allow *', '--cap', 'osd', 'allow *'],
      ]);
    const map = this.#path('monmap');
    const address = `[v2:127.0.0.1:${monitorPort}]`;
    await run(findCeph('monmaptool'), ['--create', '--fsid', fsid, '--addv', 'a', address, map]);
    await this.#run('ceph-mon', '-i', 'a', '--mkfs', '--monmap', map, '--keyring', keyring);
    this.#spawn('ceph-mon', '-i', 'a');
    await this.#run('ceph', 'osd', 'new', disk);
    await this.#run('ceph-osd', '-i', '0', '--mkfs', '--osd-uuid', disk);
    this.#spawn('ceph-osd', '-i', '0');
    await this.#run('ceph', 'osd', 'crush', 'add', 'osd.0', '1', 'root=default', 'host=a');
    const user = ['--uid=test', '--display-name=test', `--access-key=${KEY}`, `--secret-key=${SECRET}`];
    await this.#run('radosgw-admin', '-n', 'client.rgw.a', 'user', 'create', ...user);
    const gateway = this.#spawn('radosgw', '-n', 'client.rgw.a');
    const deadline = Date.now() + START_MS;
    // It says nothing that could be awaited when it is ready.
    while (!(await answers(port))) {
      if (gateway.exitCode !== null)
        throw new Error('address already in use, or the gateway of Ceph has ended');
      if (Date.now() > deadline) throw new Error('The gateway of Ceph did not answer in time.');
      await wait(100);
    }
  }

  async stop(): Promise<void> {
    process.off('exit', this.#kill);
    const ends = this.#children
      .filter(({ exitCode, signalCode }) => exitCode === null && signalCode === null)
      .map((child) => once(child, 'exit'));
    this.#kill();
    await Promise.all(ends);
    await rm(this.directory, { recursive: true, force: true });
  }

  #path(name: string): string {
    return join(this.directory, name);
  }

  async #run(name: string, ...args: readonly string[]): Promise<void> {
    await run(findCeph(name), ['-c', this.#path('ceph.conf'), ...args], { timeout: START_MS });
  }

  #spawn(name: string, ...args: readonly string[]): ChildProcess {
    // A group of its own: Ctrl-C reaches us only, who stop it when the tests have ended.
    const child = spawn(findCeph(name), ['-c', this.#path('ceph.conf'), ...args, '-f'], {
      detached: true,
      stdio: 'ignore',
    });
    this.#children.push(child);
    return child;
  }
}

function answers(port: number): Promise<boolean> {
  return fetch(`http://127.0.0.1:${port}/`).then(
    () => true,
    () => false,
  );
}

/** As small as it can be: one copy of everything, in memory. */
function settings(directory: string, fsid: string, monitorPort: number, port: number): string {
  return `
[global]
fsid = ${fsid}
keyring = ${directory}/keyring
mon host = v2:127.0.0.1:${monitorPort}
mon initial members = a
ms bind msgr1 = false
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 8
osd pool default pgp num = 8
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
osd objectstore = memstore
memstore device bytes = 1073741824
mon allow pool size one = true
mon max pg per osd = 1000
mon data avail crit = 1
run dir = ${directory}/run
admin socket = ${directory}/run/$name.$pid.asok
crash dir = ${directory}/run
log file = ${directory}/$name.log
mon cluster log file = ${directory}/cluster.log
[mon.a]
mon data = ${directory}/mon
[osd.0]
osd data = ${directory}/osd
[client.rgw.a]
rgw data = ${directory}/rgw
rgw frontends = beast endpoint=127.0.0.1:${port}
`;
}
