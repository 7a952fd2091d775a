import { randomBytes } from 'node:crypto';
import { startSample } from './start-sample';

/** The second sample as it is tried in this repository. As a project of its own it starts by its main.ts. */
startSample(async () => {
  if (!process.env.METRICS_TOKEN) {
    process.env.METRICS_TOKEN = randomBytes(32).toString('hex');
    console.log(`METRICS_TOKEN is not set. For this run it is ${process.env.METRICS_TOKEN}`);
  }
  const { createApp } = await import('./02-saas/src/create-app.js');
  return createApp(undefined, { abortOnError: false });
});
