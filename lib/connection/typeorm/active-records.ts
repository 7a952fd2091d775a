import type { DataSource, EntityMetadata } from 'typeorm';

/** The static side of `BaseEntity`, as much as TypeORM asks for. */
interface ActiveRecord {
  useDataSource(dataSource: DataSource | null): void;
}

/**
 * Keeps a data source that serves no requests from taking active-record entities for its own when it is initialised:
 * `Order.save()` belongs to the tenants' data source, or to whichever the application gave it to.
 *
 * TypeORM calls `useDataSource(this)` of each entity at the end of `buildMetadatas()`, and the entities are known, from
 * globs as well, when it assigns `entityMetadatas` before that.
 */
export function leaveActiveRecords(dataSource: DataSource): void {
  const building = dataSource as unknown as { buildMetadatas(): Promise<void> };
  const build = building.buildMetadatas.bind(dataSource);
  building.buildMetadatas = async () => {
    let metadatas: readonly EntityMetadata[] = dataSource.entityMetadatas;
    let giveBack = (): void => undefined;
    Object.defineProperty(dataSource, 'entityMetadatas', {
      configurable: true,
      enumerable: true,
      get: () => metadatas,
      set: (made: readonly EntityMetadata[]) => {
        metadatas = made;
        giveBack = keepFrom(dataSource, made);
      },
    });
    try {
      await build();
    } finally {
      giveBack();
      Object.defineProperty(dataSource, 'entityMetadatas', { value: metadatas, writable: true });
    }
  };
}

/** Has the entities hear of all data sources but this one, until the function that comes out is called. */
function keepFrom(dataSource: DataSource, metadatas: readonly EntityMetadata[]): () => void {
  const records = new Set(metadatas.map(({ target }): unknown => target).filter(isActiveRecord));
  const givenBack = [...records].map((record) => {
    const own = Object.getOwnPropertyDescriptor(record, 'useDataSource');
    const use = record.useDataSource.bind(record);
    const useDataSource = (other: DataSource | null) => {
      if (other !== dataSource) use(other);
    };
    Object.defineProperty(record, 'useDataSource', {
      configurable: true,
      writable: true,
      value: useDataSource,
    });
    return () => {
      Reflect.deleteProperty(record, 'useDataSource');
      if (own) Object.defineProperty(record, 'useDataSource', own);
    };
  });
  return () => givenBack.forEach((each) => each());
}

function isActiveRecord(target: unknown): target is ActiveRecord {
  return (
    typeof target === 'function' && typeof (target as Partial<ActiveRecord>).useDataSource === 'function'
  );
}
