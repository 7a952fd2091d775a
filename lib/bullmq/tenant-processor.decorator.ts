import { Inject } from '@nestjs/common';
import type { Processor, ProcessorOptions } from '@nestjs/bullmq';
import type { Job } from 'bullmq';
import { nestBullmq } from './packages';
import { TenantJobs } from './tenant-jobs';

/** Nest's metadata of `@OnWorkerEvent()`. */
const ON_WORKER_EVENT = 'bullmq:worker_events_metadata';

const JOBS = Symbol('nestjs-tenancy jobs');
const IS_OF_TENANTS = Symbol('nestjs-tenancy processor');

type Method = (this: Runner, ...args: unknown[]) => unknown;
interface Runner {
  readonly [JOBS]: TenantJobs;
}

/**
 * Nest's `@Processor()` for a queue of tenants: `process()` and the methods with `@OnWorkerEvent()` run for the tenant of each
 * job. The class extends `WorkerHost`, as with Nest's.
 */
export function TenantProcessor(
  queue: string | ProcessorOptions,
  workerOptions: Parameters<typeof Processor>[1] = {},
): ClassDecorator {
  return (target) => {
    const prototype = target.prototype as object;
    const options = typeof queue === 'string' ? { name: queue } : queue;
    nestBullmq.Processor(options, workerOptions)(target);
    Inject(TenantJobs)(prototype, JOBS);
    for (const [name, method] of methodsOf(prototype)) {
      if (IS_OF_TENANTS in method) continue;
      if (name === 'process') replace(prototype, name, method, runningFor);
      else if (Reflect.hasMetadata(ON_WORKER_EVENT, method)) replace(prototype, name, method, observing);
    }
  };
}

/** Whether what a class does with a job is what `@TenantProcessor()` has made of it, not what a subclass has overridden. */
export function isOfTenants(prototype: object): boolean {
  const { process } = prototype as { process?: object };
  return process !== undefined && IS_OF_TENANTS in process;
}

function runningFor(process: Method): Method {
  return function (...args) {
    const [job, lock] = args as [Job, string | undefined];
    return this[JOBS].process(job, lock, () => process.apply(this, args));
  };
}

function observing(listener: Method): Method {
  return function (...args) {
    return this[JOBS].observe(args[0], () => listener.apply(this, args));
  };
}

function replace(
  prototype: object,
  name: string,
  original: Method,
  around: (method: Method) => Method,
): void {
  const method = around(original);
  // BullMQ looks how many parameters process() has, to know whether it takes a signal.
  Object.defineProperty(method, 'length', { value: original.length });
  Object.assign(method, { [IS_OF_TENANTS]: true });
  for (const key of Reflect.getMetadataKeys(original) as unknown[])
    Reflect.defineMetadata(key, Reflect.getMetadata(key, original), method);
  Object.defineProperty(prototype, name, { value: method, configurable: true, writable: true });
}

/** Its methods, and those that it inherits. Getters are not asked: what they need is not there yet. */
function methodsOf(prototype: object): Map<string, Method> {
  const methods = new Map<string, Method>();
  for (let each = prototype; each !== Object.prototype; each = Object.getPrototypeOf(each) as object)
    for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(each)))
      if (typeof value === 'function' && !methods.has(name)) methods.set(name, value as Method);
  return methods;
}
