import { didYouMean } from './closest.js'
import type { Finding } from './issues.js'
import { isMapping, type Path } from './problem.js'

/** What an arm is called where it has no name of its own. */
export function armName({
  name,
  model,
  effort,
  style,
}: {
  readonly name?: unknown
  readonly model?: unknown
  readonly effort?: unknown
  readonly style?: unknown
}): string {
  if (typeof name === 'string') return name
  return [typeof model === 'string' ? model : 'strategy', ...[effort, style].filter((part) => typeof part === 'string')].join('@')
}

/** The objectives that every installation has. */
const ownObjectives = ['cheap', 'balanced', 'best']

/**
 * Checks the names of `routing:` against each other; `checkCallable` those of models. Values of a wrong form are the schema's to tell
 * of.
 */
export function routingFindings(data: Readonly<Record<string, unknown>>, checkCallable: (name: string, path: Path) => void): Finding[] {
  const { routing, models } = data
  if (!isMapping(routing)) return []
  const found: Finding[] = []
  const places = new Map<string, number>()
  const given: readonly unknown[] = Array.isArray(routing.arms) ? routing.arms : []
  const listed = given.map((entry) => (typeof entry === 'string' ? { model: entry } : entry))
  for (const [index, arm] of listed.entries()) {
    if (!isMapping(arm)) continue
    const path: Path = ['routing', 'arms', index]
    if (typeof arm.model === 'string') checkCallable(arm.model, typeof given[index] === 'string' ? path : [...path, 'model'])
    if (arm.name === undefined && arm.model === undefined) continue
    const name = armName(arm)
    const at: Path = arm.name === undefined ? path : [...path, 'name']
    if (name === 'auto' || name.startsWith('auto:')) found.push({ path: at, message: '`auto` lets Bursar pick; give the arm another name' })
    const earlier = places.get(name)
    if (earlier !== undefined)
      found.push({ path: at, message: `is called "${name}", as routing.arms[${earlier}] is; give it another \`name\`` })
    else places.set(name, index)
    if (typeof arm.name === 'string' && arm.name !== arm.model && isMapping(models) && Object.hasOwn(models, arm.name))
      found.push({ path: at, message: `"${arm.name}" is a name of \`models\`, which callers would get instead; give the arm another name` })
  }
  if (typeof routing.reference === 'string') {
    if (listed.length === 0) checkCallable(routing.reference, ['routing', 'reference'])
    else if (!places.has(routing.reference))
      found.push({
        path: ['routing', 'reference'],
        message: `"${routing.reference}" is no arm of \`routing.arms\`${didYouMean(routing.reference, [...places.keys()])}`,
      })
  }
  if (isMapping(routing.policy) && isMapping(routing.policy.auction)) {
    const { bidders } = routing.policy.auction
    for (const [index, name] of (Array.isArray(bidders) ? (bidders as readonly unknown[]) : []).entries())
      if (typeof name === 'string' && !places.has(name))
        found.push({
          path: ['routing', 'policy', 'auction', 'bidders', index],
          message: `"${name}" is no arm of \`routing.arms\`${didYouMean(name, [...places.keys()])}`,
        })
    if (places.has('auction'))
      found.push({
        path: ['routing', 'arms', places.get('auction') ?? 0],
        message: 'is called "auction", as the arm of `policy.auction` is; give it another `name`',
      })
  }
  if (Array.isArray(routing.instead_of))
    for (const [index, name] of (routing.instead_of as readonly unknown[]).entries()) {
      const path: Path = ['routing', 'instead_of', index]
      if (typeof name !== 'string' || name.endsWith('*')) continue
      if (name === 'auto' || name.startsWith('auto:')) found.push({ path, message: '`auto` is decided in any case; name models here' })
      else checkCallable(name, path)
    }
  const objectives = isMapping(routing.objectives) ? [...new Set([...ownObjectives, ...Object.keys(routing.objectives)])] : ownObjectives
  if (typeof routing.objective === 'string' && !objectives.includes(routing.objective))
    found.push({
      path: ['routing', 'objective'],
      message: `"${routing.objective}" is no objective; there are ${objectives.join(', ')}${didYouMean(routing.objective, objectives)}`,
    })
  return found
}
