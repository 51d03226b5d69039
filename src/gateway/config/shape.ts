import { configJsonSchema, type JsonSchema } from './json-schema.js'
import { isMapping, valueAt, type Path } from './problem.js'

/** The keys that a mapping at this path of the configuration may have; none where it may have any. */
export function knownKeys(path: Path, data: unknown): readonly string[] {
  let shapes = branchesOf(configJsonSchema(), data)
  path.forEach((part, index) => {
    const value = valueAt(data, path.slice(0, index + 1))
    shapes = shapes.flatMap((shape) => inside(shape, part)).flatMap((shape) => branchesOf(shape, value))
  })
  return [...new Set(shapes.flatMap((shape) => Object.keys(shape.properties ?? {})))]
}

/** The section of the file that has this key, for keys that were written at the top: `port` belongs under `server`. */
export function sectionOf(key: string): string | undefined {
  for (const [name, shape] of Object.entries(configJsonSchema().properties ?? {}))
    if (shape.properties && Object.hasOwn(shape.properties, key)) return name
  return undefined
}

function inside(shape: JsonSchema, part: string | number): readonly JsonSchema[] {
  if (typeof part === 'number') return isShape(shape.items) ? [shape.items] : []
  const own = shape.properties?.[part]
  if (own !== undefined) return [own]
  return isShape(shape.additionalProperties) ? [shape.additionalProperties] : []
}

function isShape(value: unknown): value is JsonSchema {
  return isMapping(value)
}

/** The alternatives of a shape that this value may be: told apart by `type`, where the value has one. */
function branchesOf(shape: JsonSchema, value: unknown): readonly JsonSchema[] {
  const branches = shape.anyOf ?? shape.oneOf
  if (branches === undefined) return [shape]
  const type = isMapping(value) ? value.type : undefined
  const fitting = branches.filter((branch) => {
    const named = branch.properties?.type
    return type === undefined || named === undefined || named.const === type || named.enum?.includes(type)
  })
  return (fitting.length === 0 ? branches : fitting).flatMap((branch) => branchesOf(branch, value))
}
