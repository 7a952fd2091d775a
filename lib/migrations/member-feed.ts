import type { FleetMember } from './fleet-members';

/** Hands out the members of one pass to lanes, each member once. */
export class MemberFeed {
  #page: readonly FleetMember[] = [];
  #next = 0;
  #reading: Promise<boolean> | undefined;

  /**
   * @param pages lists of members
   * @param begin asked for each member when its turn has come: whether it is begun, or passed over, or none is begun any more
   */
  constructor(
    private readonly pages: AsyncGenerator<readonly FleetMember[], void>,
    private readonly begin: (member: FleetMember) => 'begun' | 'passed over' | 'stop',
  ) {}

  /** The next ones, `most` of them at most; none when all are begun that may be. */
  async take(most: number): Promise<FleetMember[]> {
    const taken: FleetMember[] = [];
    while (taken.length < most) {
      if (this.#next >= this.#page.length) {
        if (taken.length > 0 || !(await (this.#reading ??= this.#read()))) break;
        continue;
      }
      const member = this.#page[this.#next];
      const answer = this.begin(member);
      if (answer === 'stop') break;
      this.#next++;
      if (answer === 'begun') taken.push(member);
    }
    return taken;
  }

  async end(): Promise<void> {
    await this.pages.return(undefined);
  }

  async #read(): Promise<boolean> {
    const next = await this.pages.next();
    if (next.done) return false;
    this.#page = next.value;
    this.#next = 0;
    this.#reading = undefined;
    return true;
  }
}
