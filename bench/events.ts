import type { Bench } from './bench';
import { measureDeliveries } from './events-deliveries';

/** What the trail of events costs, and how fast those are told who follow it. */
export const eventsBench: Bench = {
  about: 'webhooks that one instance delivers to a receiver on this machine',

  async run(environment) {
    const { row, deliveriesPerSecond } = await measureDeliveries(environment);
    return { rows: [row], ratios: { deliveriesPerSecond } };
  },
};
