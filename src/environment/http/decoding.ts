import { constants, createBrotliDecompress, createGunzip, createInflate, type BrotliDecompress, type Gunzip, type Inflate } from 'node:zlib'

export type Decoder = Gunzip | Inflate | BrotliDecompress

/** A body whose `content-encoding` could not be undone. */
export class UndecodableBody extends Error {
  override name = 'UndecodableBody'
}

/**
 * What undoes a body's `content-encoding`; `undefined` when there is none. Bursar asks for none, but some proxies in
 * between compress all the same. Pieces come out as soon as they can be read, so that a compressed stream still streams.
 * Throws `UndecodableBody` for an encoding that isn't known.
 */
export function decoderOf(header: string | string[] | undefined): Decoder | undefined {
  const encoding = (Array.isArray(header) ? header.join(',') : (header ?? '')).trim().toLowerCase()
  const flush = { flush: constants.Z_SYNC_FLUSH }
  switch (encoding) {
    case '':
    case 'identity':
      return undefined
    case 'gzip':
    case 'x-gzip':
      return createGunzip(flush)
    case 'deflate':
      return createInflate(flush)
    case 'br':
      return createBrotliDecompress({ flush: constants.BROTLI_OPERATION_FLUSH })
    default:
      throw new UndecodableBody(`its content-encoding is "${encoding.slice(0, 50)}", though none was asked for`)
  }
}
