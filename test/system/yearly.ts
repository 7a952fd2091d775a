/** A fire that comes once a year, so that the tests alone say when a timer is due. In UTC. */
export const YEARLY = '0 0 1 1 *';
