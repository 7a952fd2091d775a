import { Module } from '@nestjs/common';
import { ConnectionModule } from '../../connection/connection.module';
import { DatabaseMarks } from './database-marks';
import { RegistryNeighbours } from './registry-neighbours';
import { SchemaDrop } from './schema-drop';
import { SchemaMarks } from './schema-marks';

const services = [DatabaseMarks, RegistryNeighbours, SchemaDrop, SchemaMarks];

/** Which schemas are ours, and who may drop them. */
@Module({ imports: [ConnectionModule], providers: services, exports: services })
export class MarksModule {}
