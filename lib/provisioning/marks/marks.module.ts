import { Module } from '@nestjs/common';
import { ConnectionModule } from '../../connection/connection.module';
import { RegistryNeighbours } from './registry-neighbours';
import { SchemaComment } from './schema-comment';
import { SchemaDrop } from './schema-drop';
import { SchemaMarks } from './schema-marks';

const services = [RegistryNeighbours, SchemaComment, SchemaDrop, SchemaMarks];

/** Which schemas are ours, and who may drop them. */
@Module({ imports: [ConnectionModule], providers: services, exports: services })
export class MarksModule {}
