import { type CanActivate, Inject, Injectable, Optional } from '@nestjs/common';
import { AccessModuleMissingError } from './access.errors';
import { ACCESS_OPTIONS } from './access.options';

/**
 * Stands before each route with `@RequireScopes()`, and looks at no request: it keeps an application from starting that
 * has the decorator and not the module whose guard obeys it.
 */
@Injectable()
export class ScopesNeedModule implements CanActivate {
  constructor(@Optional() @Inject(ACCESS_OPTIONS) options?: unknown) {
    if (options === undefined) throw new AccessModuleMissingError('@RequireScopes()');
  }

  canActivate(): boolean {
    return true;
  }
}
