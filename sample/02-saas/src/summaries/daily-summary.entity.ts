import { ApiProperty } from '@nestjs/swagger';
import { Column, Entity, PrimaryColumn } from 'typeorm';

@Entity('daily_summaries')
export class DailySummary {
  @PrimaryColumn({ type: 'date' })
  @ApiProperty({ example: '2026-11-25' })
  day!: string;

  @Column({ type: 'integer' })
  @ApiProperty()
  orders!: number;
}
