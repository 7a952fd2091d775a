import type { FleetMember } from './fleet-members';

type Page = IteratorResult<readonly FleetMember[], void>;

/** Hands out the members of one pass to lanes, each member once. */
export class MemberFeed {
  #page: readonly FleetMember[] = [];
  #next = 0;
  /** The page behind this one, once half of this one is handed out: lanes would have nothing to do while it is read. */
  #ahead: Promise<Page> | undefined;
  #turning: Promise<boolean> | undefined;

  /**
   * @param pages lists of members
   * @param begin asked for each member when its turn has come: whether it is begun, or passed over, or none is begun any more
   */
  constructor(
    private readonly pages: AsyncGenerator<readonly FleetMember[], void>,
    private readonly begin: (member: FleetMember) => 'begun' | 'passed over' | 'stop',
  ) {}

  /**
   * The next ones, `most` of them at most; none when all are begun that may be.
   *
   * @param onWait called before it waits for a page
   */
  async take(most: number, onWait: () => void): Promise<FleetMember[]> {
    const taken: FleetMember[] = [];
    while (taken.length < most) {
      if (this.#next >= this.#page.length) {
        if (taken.length > 0) break;
        onWait();
        if (!(await (this.#turning ??= this.#turn()))) break;
        continue;
      }
      const member = this.#page[this.#next];
      const answer = this.begin(member);
      if (answer === 'stop') break;
      this.#next++;
      if (2 * this.#next >= this.#page.length) void this.#readAhead();
      if (answer === 'begun') taken.push(member);
    }
    return taken;
  }

  async end(): Promise<void> {
    await this.pages.return(undefined);
  }

  async #turn(): Promise<boolean> {
    const next = await this.#readAhead();
    this.#ahead = undefined;
    if (next.done) return false;
    this.#page = next.value;
    this.#next = 0;
    this.#turning = undefined;
    return true;
  }

  #readAhead(): Promise<Page> {
    if (!this.#ahead) {
      this.#ahead = this.pages.next();
      // It is told to the lane that comes to the end of this page, if one does.
      this.#ahead.catch(() => undefined);
    }
    return this.#ahead;
  }
}
