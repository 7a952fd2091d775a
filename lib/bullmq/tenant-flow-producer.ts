import type { FlowJob, FlowJobNode, FlowOpts, IQueueBackend, JobNode, QueueBaseOptions } from 'bullmq';
import { grouped, type JobPreparation } from './job-preparation';
import { bullmq } from './packages';
import type { TenantQueueSettings } from './tenant-queue';

const { FlowProducer } = bullmq;

export type TenantFlowProducerOptions = QueueBaseOptions &
  TenantQueueSettings & {
    readonly preparation: JobPreparation;
    /** Whether a queue of this application has fair turns. `undefined`: it is not one of this application's. */
    readonly isFair: (queue: string) => boolean | undefined;
  };

type Node = FlowJob | FlowJobNode;

/** BullMQ's producer of flows, all of whose jobs carry the tenant of the code that adds them. */
export class TenantFlowProducer extends FlowProducer {
  readonly #preparation: JobPreparation;
  readonly #isFair: (queue: string) => boolean;

  constructor({ preparation, isFair, fair = true, ...options }: TenantFlowProducerOptions) {
    super(options);
    this.#preparation = preparation;
    this.#isFair = (queue) => isFair(queue) ?? fair;
  }

  /** @throws TenantRequiredError, JobIdSharedError, JobNotFairError as `TenantQueue.add()` */
  override async add(flow: FlowJob, opts?: FlowOpts): Promise<JobNode> {
    const [prepared] = await this.#prepared([flow]);
    return this.#preparation.added(flow.queueName, super.add(prepared, opts));
  }

  /** @throws TenantRequiredError, JobIdSharedError, JobNotFairError as `TenantQueue.add()` */
  override async addBulk(flows: FlowJob[]): Promise<JobNode[]> {
    const adding = super.addBulk(await this.#prepared(flows));
    return this.#preparation.added(flows[0]?.queueName ?? '', adding);
  }

  async #prepared(flows: readonly FlowJob[]): Promise<FlowJob[]> {
    const options = new Map<Node, object>();
    for (const [, nodes] of grouped(flows.flatMap(nodesOf), queueOf)) {
      const [{ queueName, prefix }] = nodes;
      const prepared = await this.#preparation.prepared(
        queueName,
        this.#isFair(queueName) ? this.#backendOf(queueName, prefix) : undefined,
        nodes.map(({ name, data, opts, children }) => ({
          name,
          data: data as unknown,
          opts,
          isParent: (children?.length ?? 0) > 0,
        })),
      );
      nodes.forEach((node, index) => options.set(node, prepared[index]));
    }
    return flows.map((flow) => withOptions(flow, options));
  }

  #backendOf(queueName: string, prefix = this.opts.prefix): IQueueBackend {
    return this.backend.forQueue(queueName, prefix);
  }
}

/** Children first: their turn comes before their parent's. */
function nodesOf(node: Node): Node[] {
  return [...(node.children ?? []).flatMap(nodesOf), node];
}

function queueOf({ prefix, queueName }: Node): string {
  return `${prefix ?? ''}:${queueName}`;
}

function withOptions(node: Node, options: ReadonlyMap<Node, object>): Node {
  const children = node.children?.map((child) => withOptions(child, options));
  return { ...node, opts: options.get(node), ...(children && { children }) };
}
