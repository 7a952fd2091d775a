import type { Bench } from './bench';
import { measureDeliveries } from './events-deliveries';
import { measureTrail } from './events-trail';

/** What the trail of events costs, and how fast those are told who follow it. */
export const eventsBench: Bench = {
  about: 'what an event costs its transaction, and how fast the trail is followed, verified and delivered',

  async run(environment) {
    const { rows, ratios } = await measureTrail(environment);
    const { row, deliveriesPerSecond } = await measureDeliveries(environment);
    return { rows: [...rows, row], ratios: { ...ratios, deliveriesPerSecond } };
  },
};
