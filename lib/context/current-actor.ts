import { Injectable } from '@nestjs/common';
import { TenantContext, workOf } from './tenant-context';
import type { EventActor } from '../registry/events/tenant-event';

/**
 * Who acts in the current piece of work: told by whoever has verified a credential, asked by whoever records what was done.
 * Neither knows the other.
 */
@Injectable()
export class CurrentActor {
  readonly #actors = new WeakMap<object, EventActor>();

  constructor(private readonly context: TenantContext) {}

  /** Of the request, or job, that the calling code runs in, with all that it calls. Outside of one nothing happens. */
  set(actor: EventActor): void {
    const frame = this.context.frame();
    if (frame) this.#actors.set(workOf(frame), actor);
  }

  find(): EventActor | undefined {
    const frame = this.context.frame();
    return frame && this.#actors.get(workOf(frame));
  }
}
