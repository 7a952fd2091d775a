import { createSocket } from 'node:dgram';
import { isIPv4 } from 'node:net';

const HEADER_BYTES = 12;
const TYPE_A = 1;
const TYPE_AAAA = 28;
const NO_SUCH_NAME = 3;

/** What a name has, by how often it was asked for before; `undefined`: no answer comes. */
export type Answers = (asked: number) => readonly string[] | undefined;

/** A DNS server that says what it is told, the second time something else. */
export class LyingDns {
  readonly #socket = createSocket('udp4');
  readonly #names = new Map<string, Answers>();
  /** What was asked: `A hooks.example.com`. */
  readonly asked: string[] = [];

  async start(): Promise<string> {
    this.#socket.on('message', (question, { port, address }) => {
      const answer = this.#answer(question);
      if (answer) this.#socket.send(answer, port, address);
    });
    await new Promise<void>((resolve) => this.#socket.bind(0, '127.0.0.1', resolve));
    return `127.0.0.1:${this.#socket.address().port}`;
  }

  stop(): Promise<void> {
    return new Promise((resolve) => this.#socket.close(resolve));
  }

  says(name: string, answers: Answers | readonly string[]): void {
    this.#names.set(name, typeof answers === 'function' ? answers : () => answers);
  }

  #answer(question: Buffer): Buffer | undefined {
    const { name, type, end } = readQuestion(question);
    const what = `${type === TYPE_A ? 'A' : 'AAAA'} ${name}`;
    const before = this.asked.filter((each) => each === what).length;
    this.asked.push(what);
    const found = this.#names.get(name);
    const addresses = found ? found(before) : [];
    if (!addresses) return undefined;
    const records = addresses
      .filter((each) => type === (isIPv4(each) ? TYPE_A : TYPE_AAAA))
      .map((each) => record(type, each));
    const header = Buffer.alloc(HEADER_BYTES);
    question.copy(header, 0, 0, 2);
    header.writeUInt16BE(0x8180 + (found ? 0 : NO_SUCH_NAME), 2);
    header.writeUInt16BE(1, 4);
    header.writeUInt16BE(records.length, 6);
    return Buffer.concat([header, question.subarray(HEADER_BYTES, end), ...records]);
  }
}

function readQuestion(packet: Buffer): { name: string; type: number; end: number } {
  const labels: string[] = [];
  let at = HEADER_BYTES;
  for (; packet[at] !== 0; at += packet[at] + 1)
    labels.push(packet.toString('ascii', at + 1, at + 1 + packet[at]));
  return { name: labels.join('.').toLowerCase(), type: packet.readUInt16BE(at + 1), end: at + 5 };
}

/** Of the name in the question, for a minute. */
function record(type: number, address: string): Buffer {
  const data = isIPv4(address) ? Buffer.from(address.split('.').map(Number)) : bytesOfIPv6(address);
  const head = Buffer.from([0xc0, HEADER_BYTES, 0, type, 0, 1, 0, 0, 0, 60, 0, data.length]);
  return Buffer.concat([head, data]);
}

function bytesOfIPv6(address: string): Buffer {
  const [before, after] = address.split('::').map((part) => (part === '' ? [] : part.split(':')));
  const groups = after
    ? [...before, ...Array<string>(8 - before.length - after.length).fill('0'), ...after]
    : before;
  return Buffer.from(groups.map((group) => group.padStart(4, '0')).join(''), 'hex');
}
