import type { TenancyError } from '../common/tenancy.errors';
import { clientAnswer } from '../resolution/http/client-answer';

// Each package is loaded when it is needed, because an application may have only gateways or only microservices.

/** The error in the form that Nest's gateways send to the client: `{ code, message }`. */
export function toWsException(error: TenancyError): Error {
  const { WsException } = require('@nestjs/websockets') as typeof import('@nestjs/websockets');
  return Object.assign(new WsException(clientAnswer(error)), { cause: error });
}

/** The error in the form that Nest's microservices answer: `{ status: 'error', code, message }`. */
export function toRpcException(error: TenancyError): Error {
  const { RpcException } = require('@nestjs/microservices') as typeof import('@nestjs/microservices');
  return Object.assign(new RpcException({ status: 'error', ...clientAnswer(error) }), { cause: error });
}
