import type { Model } from '../../http/openapi/describe-api';
import { DATE, ID, optional } from '../../http/openapi/fields';
import { MOVE_HOWS, MOVE_STATES } from '../../moves/move';
import { ISOLATIONS } from '../../placement/place';
import { MoveTenantBody } from '../move.dto';

/** What answers look like, as in `./models`. */
export class MoveModel {}
export class MovesModel {}

const PLACE = { server: { type: 'string' }, isolation: { type: 'string', enum: [...ISOLATIONS] } };
const place = (description: string) => ({
  type: 'object',
  description,
  properties: PLACE,
  required: ['server', 'isolation'],
  selfRequired: true,
});
const COUNT = { type: 'integer', minimum: 0 };
const HOW = { type: String, enum: [...MOVE_HOWS] };
const VERIFY = { type: String, enum: ['count', 'rows'] };
const text = (description: string) => ({ type: String, nullable: true, description });
const date = (description: string) => ({ ...DATE, nullable: true, description });

export const MOVE_MODELS: readonly Model[] = [
  {
    type: MoveTenantBody,
    name: 'AdminMoveTenant',
    fields: {
      place: {
        type: 'object',
        description: 'Where it is to live. What is left out stays as it is',
        properties: PLACE,
        selfRequired: true,
        example: { server: 'eu' },
      },
      how: optional({
        ...HOW,
        description:
          'online: its writes go on while its rows are copied; stop: they wait. Default online where that is possible',
      }),
      verify: optional({
        ...VERIFY,
        default: 'count',
        description: 'rows: the copy is compared row by row, too',
      }),
    },
  },
  {
    type: MoveModel,
    name: 'AdminMove',
    fields: {
      id: ID,
      tenantId: ID,
      schemaName: { type: String },
      from: place('Where the tenant lived'),
      to: place('Where it is to live'),
      how: { ...HOW, description: 'online: its writes go on while its rows are copied; stop: they wait' },
      fallback: text('Why it is not online, when it was not asked to be stopped'),
      verify: VERIFY,
      state: { type: String, enum: [...MOVE_STATES] },
      actor: text('Who asked for it'),
      reason: text('Why it has failed'),
      cancelledBy: text('Who has cancelled it'),
      progress: {
        type: 'object',
        description:
          'What was copied, and while it is following, how many bytes of the old server’s log are not done at the new place',
        properties: { tables: COUNT, ofTables: COUNT, rows: COUNT, lagBytes: { ...COUNT, nullable: true } },
        required: ['tables', 'ofTables', 'rows', 'lagBytes'],
        selfRequired: true,
      },
      worker: { type: String, description: 'The host and the process' },
      heartbeatAt: DATE,
      startedAt: DATE,
      stateAt: { ...DATE, description: 'Since when it has its state' },
      finishedAt: date('null while it is under way'),
      dropAfter: date('When what is left at the place that is not used is dropped'),
      droppedAt: date('When that was dropped'),
    },
  },
  { type: MovesModel, name: 'AdminMoves', fields: { data: { type: MoveModel, isArray: true } } },
];
