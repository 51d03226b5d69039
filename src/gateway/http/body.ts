import type { IncomingMessage } from 'node:http'
import { InvalidRequest, BursarError } from '../../errors/index.js'

/** Reads a request's body. Throws `InvalidRequest` `body_too_large` (413) as soon as the limit is known to be passed. */
export function readBody(req: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const declared = req.headers['content-length']
  if (declared !== undefined && Number(declared) > maxBytes) return Promise.reject(tooLarge(maxBytes))
  const encoding = req.headers['content-encoding']
  if (encoding !== undefined && encoding !== 'identity')
    return Promise.reject(
      new InvalidRequest(`The body is encoded as "${encoding}"; send it without content-encoding.`, {
        code: 'unsupported_media_type',
        status: 415,
      }),
    )
  return new Promise((resolve, reject) => {
    let arrived = false
    const left = () => {
      // The close of every request comes here; an error is only made where it says something.
      if (!arrived)
        reject(
          new BursarError('The connection was closed before the request was complete.', { code: 'client_closed_request', status: 499 }),
        )
    }
    // Then neither its end nor its close will be told any more.
    if (req.destroyed) return left()
    let chunks: Buffer[] | undefined
    let only: Buffer | undefined
    let size = 0
    req.on('data', (chunk: Buffer) => {
      size += chunk.length
      if (size > maxBytes) {
        req.removeAllListeners('data')
        req.resume()
        return reject(tooLarge(maxBytes))
      }
      if (chunks) chunks.push(chunk)
      else if (only) chunks = [only, chunk]
      else only = chunk
    })
    req.on('end', () => {
      arrived = true
      resolve(chunks ? Buffer.concat(chunks, size) : (only ?? Buffer.alloc(0)))
    })
    req.on('error', (cause) =>
      reject(
        new BursarError('The connection broke while the request was being sent.', { code: 'client_closed_request', status: 499, cause }),
      ),
    )
    // Also when all of it had arrived, but wasn't read yet: then its end is never told.
    req.on('close', left)
  })
}

/**
 * The same of a request of the fetch API, for endpoints that take little. `has` begins the sentence that tells the limit, such as "The
 * body has".
 */
export async function readWithin(request: Request, maxBytes: number, has: string): Promise<Buffer> {
  const tooLarge = () => new InvalidRequest(`${has} at most ${maxBytes} bytes.`, { code: 'body_too_large', status: 413 })
  if (Number(request.headers.get('content-length') ?? 0) > maxBytes) throw tooLarge()
  const parts: Uint8Array[] = []
  let size = 0
  const reader = request.body?.getReader()
  for (let step = await reader?.read(); step && !step.done; step = await reader?.read()) {
    size += step.value.length
    if (size > maxBytes) {
      await reader?.cancel()
      throw tooLarge()
    }
    parts.push(step.value)
  }
  return Buffer.concat(parts, size)
}

/**
 * Refuses bodies that say they are something else than JSON. A missing content type is let pass, since many scripts send
 * none, unless a browser sent the request: a web page must not be able to skip the preflight.
 */
export function requireJson(req: IncomingMessage): void {
  const type = req.headers['content-type']
  if (
    type === undefined
      ? req.headers['sec-fetch-mode'] === undefined
      : type.startsWith('application/json') || /^application\/[\w.+-]*json\b/i.test(type)
  )
    return
  throw new InvalidRequest(
    `The content type is ${type === undefined ? 'missing' : `"${type.slice(0, 100)}"`}; this endpoint takes application/json.`,
    {
      code: 'unsupported_media_type',
      status: 415,
    },
  )
}

function tooLarge(maxBytes: number): InvalidRequest {
  return new InvalidRequest(`The body is larger than ${maxBytes} bytes (limits.body_bytes).`, { code: 'body_too_large', status: 413 })
}
