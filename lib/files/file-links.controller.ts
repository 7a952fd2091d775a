import { Controller, Get, Headers, HttpStatus, Query, Res, StreamableFile } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { Public } from '../http/public-route.decorator';
import { TenantFree } from '../resolution/http/tenant-route.decorator';
import { FileLinks, type FileLinkQuery } from './file-links';
import type { FileRange } from './file-store';
import { FileNotFoundError } from './files.errors';
import { TenantFiles } from './tenant-files';

/** One range of bytes. Of several the whole file is given, as RFC 9110 allows. */
const RANGE = /^bytes=(?:(\d{1,15})-(\d{0,15})|-(\d{1,15}))$/;

/** Answers signed URLs. The token in them is all the right that is needed. */
@Controller('tenant-files')
@TenantFree()
@Public()
export class FileLinksController {
  constructor(
    private readonly links: FileLinks,
    private readonly files: TenantFiles,
    private readonly adapterHost: HttpAdapterHost,
  ) {}

  @Get()
  get(
    @Query() query: FileLinkQuery,
    @Headers() asked: Readonly<Record<string, string | undefined>>,
    @Res({ passthrough: true }) response: unknown,
  ): Promise<StreamableFile | undefined> {
    return this.links.read(query, async (key, disposition) => {
      const { httpAdapter } = this.adapterHost;
      const known = await this.files.head(key);
      if (!known) throw new FileNotFoundError(key);
      const tag = `"${known.sha256}"`;
      const isKnown = asked['if-none-match']?.includes(tag) === true;
      // A part of another version than the caller has the rest of would make neither.
      const isSame = asked['if-range'] === undefined || asked['if-range'] === tag;
      const found = isKnown
        ? undefined
        : await this.files.get(key, isSame ? rangeOf(asked.range) : undefined);
      if (!isKnown && !found) throw new FileNotFoundError(key);
      const { info, range, stream } = found ?? { info: known };
      const headers = {
        ETag: `"${info.sha256}"`,
        'Last-Modified': info.modifiedAt.toUTCString(),
        'Accept-Ranges': 'bytes',
        'Cache-Control': 'private, no-cache',
        // A page that a tenant's user has uploaded runs no script under the application's own name.
        'Content-Security-Policy': "sandbox; default-src 'none'; style-src 'unsafe-inline'",
        'X-Content-Type-Options': 'nosniff',
        ...(range && { 'Content-Range': `bytes ${range.start}-${range.end}/${info.size}` }),
      };
      for (const [name, value] of Object.entries(headers)) httpAdapter.setHeader(response, name, value);
      httpAdapter.status(response, statusOf(isKnown, range !== undefined));
      if (!stream) return undefined;
      const length = range ? range.end - range.start + 1 : info.size;
      return new StreamableFile(stream, { type: info.contentType, disposition, length });
    });
  }
}

function statusOf(isKnown: boolean, isPart: boolean): HttpStatus {
  if (isKnown) return HttpStatus.NOT_MODIFIED;
  return isPart ? HttpStatus.PARTIAL_CONTENT : HttpStatus.OK;
}

function rangeOf(header: string | undefined): FileRange | undefined {
  const [, start, end, last] = RANGE.exec(header ?? '') ?? [];
  if (last !== undefined) return { last: Number(last) };
  if (start === undefined) return undefined;
  return end === '' ? { start: Number(start) } : { start: Number(start), end: Number(end) };
}
