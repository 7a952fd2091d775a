import { Logger, type Type } from '@nestjs/common';
import { ApplicationConfig, ModulesContainer } from '@nestjs/core';
import { keptOriginalUrl } from './tenant-request';
import type { TenantPathOptions } from '../resolvers/tenant-path';
import type { Providers, TenantRequest, TenantResolver } from '../resolvers/tenant-resolver';

/** Nest's own keys of metadata. */
const PATH = 'path';
const MODULE_PATH = '__module_path__';

/**
 * Says once in the log why requests are answered 404: a tenant is read from their path, and neither has `stripTenantPath()`
 * taken it away nor is a route declared that has it. At the first such request, since nothing tells before what middleware does.
 */
export function noticeUnrouted(
  resolve: TenantResolver,
  providers: Providers,
  { prefix = '/t' }: TenantPathOptions,
): TenantResolver {
  let isNoticed = false;
  return (request: TenantRequest) => {
    const claim = resolve(request);
    if (claim === undefined || isNoticed) return claim;
    isNoticed = true;
    if (keptOriginalUrl(request.raw) !== undefined || declaresTenant(providers, prefix)) return claim;
    const path = prefix === '/' ? '' : prefix;
    new Logger('Tenancy').warn(
      `fromPath() reads the tenant from ${path}/<tenant>/…, and no route is there: requests are answered 404. Take that part of the ` +
        'path away before they are routed, app.use(stripTenantPath()) on Express and new FastifyAdapter({ rewriteUrl: stripTenantPath() }) ' +
        `on Fastify, with the same options; or declare the routes with it: app.setGlobalPrefix('${path.slice(1) && `${path.slice(1)}/`}:tenant').`,
    );
    return claim;
  };
}

/** Whether a parameter stands behind the last part of the prefix in the path of a route: versions may stand in front of it. */
function declaresTenant(providers: Providers, prefix: string): boolean {
  const behind = `/${prefix.split('/').at(-1)}/:`.replace('//', '/');
  const globalPrefix = providers.get(ApplicationConfig).getGlobalPrefix();
  const modules = providers.get(ModulesContainer);
  return [...modules.values()].some(({ metatype, controllers }) => {
    const ofModule = textsOf(metatype, MODULE_PATH + modules.applicationId);
    return [...controllers.values()].some(({ metatype: controller }) => {
      const methods = Object.values(Object.getOwnPropertyDescriptors((controller as Type).prototype));
      const ofMethods = ['', ...methods.flatMap(({ value }) => textsOf(value as Type, PATH))];
      return ofModule.some((first) =>
        textsOf(controller as Type, PATH).some((second) =>
          ofMethods.some((third) => joined(globalPrefix, first, second, third).includes(behind)),
        ),
      );
    });
  });
}

function textsOf(target: object | undefined, key: string): string[] {
  if (typeof target !== 'function') return [''];
  return [Reflect.getMetadata(key, target) as string | string[] | undefined].flat().map((path) => path ?? '');
}

function joined(...parts: readonly string[]): string {
  return `/${parts.join('/')}`.replaceAll(/[/]+/g, '/');
}
