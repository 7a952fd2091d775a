import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');

/** So that what is measured is what somebody holds, and nothing of it waits for the collector. */
export const collectGarbage = runInNewContext('gc') as () => void;
