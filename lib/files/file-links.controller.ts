import { Readable } from 'node:stream';
import { Controller, Get, Headers, HttpStatus, Query, Req, Res, StreamableFile } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { Public } from '../http/public-route.decorator';
import { TenantFree } from '../resolution/http/tenant-route.decorator';
import { FileLinks, type FileLinkQuery } from './file-links';
import type { FileInfo, FileRange, OpenedFile } from './file-store';
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
    @Headers() asked: AskedHeaders,
    @Req() { method }: { readonly method: string },
    @Res({ passthrough: true }) response: unknown,
  ): Promise<StreamableFile | undefined> {
    return this.links.read(query, async (key, disposition) => {
      const { httpAdapter } = this.adapterHost;
      const found = await this.#find(key, asked, method === 'HEAD');
      if (!found) throw new FileNotFoundError(key);
      const { info, range, stream } = found;
      const headers = {
        ETag: tagOf(info),
        'Last-Modified': info.modifiedAt.toUTCString(),
        'Accept-Ranges': 'bytes',
        'Cache-Control': 'private, no-cache',
        // A page that a tenant's user has uploaded runs no script under the application's own name.
        'Content-Security-Policy': "sandbox; default-src 'none'; style-src 'unsafe-inline'",
        'X-Content-Type-Options': 'nosniff',
        ...(range && { 'Content-Range': `bytes ${range.start}-${range.end}/${info.size}` }),
      };
      for (const [name, value] of Object.entries(headers)) httpAdapter.setHeader(response, name, value);
      httpAdapter.status(response, statusOf(stream === undefined, range !== undefined));
      if (!stream) return undefined;
      const length = range ? range.end - range.start + 1 : info.size;
      return new StreamableFile(stream, { type: info.contentType, disposition, length });
    });
  }

  /** Without a stream: the caller has it. */
  async #find(key: string, asked: AskedHeaders, isHead: boolean): Promise<Found | undefined> {
    const { range, 'if-none-match': known, 'if-range': part } = asked;
    if (known !== undefined || isHead) {
      const info = await this.files.head(key);
      if (!info) return undefined;
      if (known?.includes(tagOf(info))) return { info };
      // The answer to HEAD has the length, and no byte of the file is read.
      if (isHead) return { info, stream: Readable.from([]) };
    }
    const wanted = rangeOf(range);
    if (wanted === undefined || part === undefined) return this.files.get(key, wanted);
    // A part of another version than the caller has the rest of would make neither; and one may come at any moment.
    const before = await this.files.head(key);
    const found = before && tagOf(before) === part ? await this.files.get(key, wanted) : undefined;
    if (found && tagOf(found.info) === part) return found;
    found?.stream.destroy();
    return this.files.get(key);
  }
}

type AskedHeaders = Readonly<Record<string, string | undefined>>;

type Found = Pick<OpenedFile, 'info' | 'range'> & Partial<Pick<OpenedFile, 'stream'>>;

function tagOf({ sha256 }: FileInfo): string {
  return `"${sha256}"`;
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
