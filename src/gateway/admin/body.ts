import { z } from 'zod'
import { InvalidRequest } from '../../errors/index.js'
import { parseBody } from '../../protocol/index.js'
import { didYouMean } from '../config/closest.js'
import { findingsOf } from '../config/issues.js'
import { pathText } from '../config/problem.js'
import { readWithin } from '../http/body.js'

const MAX_BODY_BYTES = 256 * 1024
const MAX_DEPTH = 12

/** The JSON object of a request; an empty body is an empty object. Throws `InvalidRequest`; reads at most `MAX_BODY_BYTES`. */
export async function readObject(request: Request): Promise<Readonly<Record<string, unknown>>> {
  const bytes = await readWithin(request, MAX_BODY_BYTES, 'The body has')
  if (bytes.length === 0) return {}
  const type = request.headers.get('content-type')
  if (type === null || !/^application\/([\w.+-]*\+)?json\b/i.test(type))
    throw new InvalidRequest('Send the body as content-type: application/json.', { code: 'unsupported_media_type', status: 415 })
  return parseBody(bytes, { maxDepth: MAX_DEPTH }).json
}

/**
 * Checks a body (or the parameters of a query). Throws `InvalidRequest` with the path of the first field that is wrong, and tells what
 * else is; for an unknown field it tells which one may have been meant.
 */
export function checked<Schema extends z.ZodObject>(schema: Schema, data: Readonly<Record<string, unknown>>): z.output<Schema> {
  const result = schema.safeParse(data)
  if (result.success) return result.data
  const problems = result.error.issues.flatMap((issue) => {
    if (issue.code !== 'unrecognized_keys') return findingsOf([issue], { data, fromEnvironment: new Map() })
    const base = issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part))
    const known = base.length === 0 ? Object.keys(schema.shape) : knownAt(schema, base)
    return issue.keys.map((key) => {
      const near = didYouMean(key, known)
      return { path: [...base, key], message: `unknown field${near === '' && known.length > 0 ? `; expected ${known.join(', ')}` : near}` }
    })
  })
  const texts = problems.map(({ path, message }) => `${path.length === 0 ? '' : `${pathText(path)}: `}${message}`)
  const path = problems[0]?.path ?? []
  throw new InvalidRequest(`${texts.join('; ')}.`, { path: path.length === 0 ? undefined : pathText(path) })
}

/** The fields of an object inside the body, as its schema has them. */
function knownAt(schema: z.ZodObject, path: readonly (string | number)[]): readonly string[] {
  let inner: z.core.$ZodType | undefined = schema
  for (const part of path) {
    const shape = unwrapped(inner)
    if (typeof part === 'number') inner = shape instanceof z.ZodArray ? shape.def.element : undefined
    else inner = shape instanceof z.ZodObject ? shape.shape[part] : undefined
  }
  const shape = unwrapped(inner)
  return shape instanceof z.ZodObject ? Object.keys(shape.shape) : []
}

function unwrapped(schema: z.core.$ZodType | undefined): z.core.$ZodType | undefined {
  let inner = schema
  while (inner instanceof z.ZodOptional || inner instanceof z.ZodNullable || inner instanceof z.ZodDefault) inner = inner.def.innerType
  return inner
}
