import { Injectable } from '@nestjs/common';
import { DiscoveryService, MetadataScanner } from '@nestjs/core';
import { type DecoratedMethod, decoratedMethods, namesakes } from '../common/decorated-methods';
import { problemsOf } from '../common/options/check-options';
import type { FieldError } from '../common/tenancy.errors';
import type { TenantEvent } from '../registry/events/tenant-event';
import { InvalidEventsOptionsError } from './events.errors';
import { CheckedFollowOptions, type FollowCall } from './follow.options';
import type { EventHandler } from './follower-turn';
import {
  CheckedOnTenantEventOptions,
  ON_TENANT_EVENT,
  type OnTenantEventOptions,
} from './on-tenant-event.decorator';

/** A method with `@OnTenantEvent()`. */
export interface DeclaredFollower {
  readonly options: CheckedFollowOptions;
  readonly handler: EventHandler;
}

type Found = DecoratedMethod<OnTenantEventOptions, [event: TenantEvent, call: FollowCall]>;

/** Finds the methods of the application that follow the trail, once all providers are there. */
@Injectable()
export class DeclaredFollowers {
  constructor(
    private readonly discovery: DiscoveryService,
    private readonly scanner: MetadataScanner,
  ) {}

  /** @throws InvalidEventsOptionsError naming all that is wrong */
  find(): DeclaredFollower[] {
    const found: Found[] = decoratedMethods(ON_TENANT_EVENT, this.discovery, this.scanner);
    const problems = found.flatMap(problemsIn);
    const followers = problems.length > 0 ? [] : found.map(toFollower);
    problems.push(
      ...namesakes(
        'follower',
        followers.map(({ options }) => options.name),
      ),
    );
    if (problems.length > 0) throw new InvalidEventsOptionsError(problems);
    return followers;
  }
}

function problemsIn({ where, metadata, call }: Found): FieldError[] {
  const field = `${where}()`;
  const problems = problemsOf(CheckedOnTenantEventOptions, metadata, field);
  if (!call)
    problems.push({
      field,
      message:
        'follows events in a class that is made anew for each request, or for each class that injects it: nothing can call it. Move it into a class of the default scope',
    });
  return problems;
}

function toFollower({ where, metadata, call }: Found): DeclaredFollower {
  const { follower = where, ...options } = { ...new CheckedOnTenantEventOptions(), ...metadata };
  return {
    options: { ...options, name: follower, batch: 1 },
    handler: ([event], about) => call!(event, about),
  };
}
