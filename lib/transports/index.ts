/**
 * WebSockets and microservices.
 *
 * @module nestjs-tenancy/transports
 */

export { TenancyTransportsModule } from './tenancy-transports.module';
export { type MessageTenantReader, type TenancyTransportsOptions } from './transports.options';
export { TenantInterceptor } from './tenant.interceptor';
export { TenantHandshakes } from './tenant-handshakes';
export { fromPayload } from './from-payload';
export {
  HandshakeUnknownError,
  InvalidTransportsOptionsError,
  MessageTenantReaderError,
} from './transports.errors';
