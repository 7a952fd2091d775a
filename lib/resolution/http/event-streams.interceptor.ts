import {
  type CallHandler,
  type ExecutionContext,
  Injectable,
  Logger,
  type NestInterceptor,
} from '@nestjs/common';
import { ApplicationConfig, MetadataScanner, ModulesContainer } from '@nestjs/core';
import { catchError, type Observable, throwError } from 'rxjs';
import { ForeignEmissionError } from '../../context/context.errors';
import { ownEmissions } from '../../context/own-emissions';
import { TenantContext } from '../../context/tenant-context';

/** As `@Sse()` marks a route. */
const SSE = '__sse__';

/** Refuses what reaches the stream of a `@Sse()` route in another tenant's name. */
@Injectable()
export class EventStreamsInterceptor implements NestInterceptor {
  readonly #logger = new Logger('Tenancy');

  constructor(
    modules: ModulesContainer,
    config: ApplicationConfig,
    private readonly scanner: MetadataScanner,
    private readonly context: TenantContext,
  ) {
    // Only where there are streams, since an interceptor costs every request. Here, since Nest reads the list before any hook.
    if ([...modules.values()].some(({ controllers }) => this.#haveStream(controllers.values())))
      config.addGlobalInterceptor(this);
  }

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const answer = next.handle() as Observable<unknown>;
    if (context.getType() !== 'http' || !Reflect.hasMetadata(SSE, context.getHandler())) return answer;
    return ownEmissions(answer, this.context).pipe(
      catchError((error: unknown) => {
        // Nest tells the client, and does not log.
        if (error instanceof ForeignEmissionError) this.#logger.error(error.message);
        return throwError(() => error);
      }),
    );
  }

  #haveStream(controllers: Iterable<{ readonly metatype: unknown }>): boolean {
    return [...controllers].some(({ metatype }) => {
      const methods = (metatype as { readonly prototype: Record<string, object> }).prototype;
      return this.scanner.getAllMethodNames(methods).some((name) => Reflect.hasMetadata(SSE, methods[name]));
    });
  }
}
