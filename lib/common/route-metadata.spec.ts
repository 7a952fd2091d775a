import { type ExecutionContext, SetMetadata, type Type } from '@nestjs/common';
import { RouteMetadata } from './route-metadata';

const Marked = (mark: string) => SetMetadata('mark', mark);

class Base {
  plain(): void {}

  @Marked('handler')
  marked(): void {}
}

@Marked('class')
class Sub extends Base {}

class Other extends Base {}

const contextOf = (type: Type<Base>, handler: () => void) =>
  ({ getClass: () => type, getHandler: () => handler }) as unknown as ExecutionContext;

describe('RouteMetadata', () => {
  const { plain, marked } = Base.prototype;
  const marks = new RouteMetadata<string>('mark', 'none');

  it.each(['at first', 'again'])(
    'tells %s what is on the handler, or else on the class that inherits it',
    () => {
      expect(marks.of(contextOf(Sub, plain))).toBe('class');
      expect(marks.of(contextOf(Other, plain))).toBe('none');
      expect(marks.of(contextOf(Sub, marked))).toBe('handler');
      expect(marks.of(contextOf(Other, marked))).toBe('handler');
    },
  );

  it('reads a route once, whatever it says', () => {
    const [said, silent] = [contextOf(Sub, plain), contextOf(Other, plain)];
    const own = new RouteMetadata<string>('mark', 'none');
    own.of(said);
    own.of(silent);
    const read = jest.spyOn(Reflect, 'getMetadata');
    expect([own.of(said), own.of(silent)]).toEqual(['class', 'none']);
    expect(read).not.toHaveBeenCalled();
    read.mockRestore();
  });
});
