import type { TenancyError } from '../common/tenancy.errors';
import { clientAnswer } from '../resolution/client-answer';

// Each package is loaded when it is needed: an application without gateways, or without microservices, has only one.

/** The error as Nest's gateways pass it on to the client: `{ code, message }`. */
export async function toWsException(error: TenancyError): Promise<Error> {
  const { WsException } = await import('@nestjs/websockets');
  return Object.assign(new WsException(clientAnswer(error)), { cause: error });
}

/** The error as Nest's microservices answer it: `{ status: 'error', code, message }`. */
export async function toRpcException(error: TenancyError): Promise<Error> {
  const { RpcException } = await import('@nestjs/microservices');
  return Object.assign(new RpcException({ status: 'error', ...clientAnswer(error) }), { cause: error });
}
