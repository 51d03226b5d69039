// Holds the rule of the house: a room imports only rooms on lower floors, through their index.ts, and nothing is
// circular. Fails when it saw no modules, because a checker that cannot parse passes silently.
import { cruise } from 'dependency-cruiser'
import { readdirSync, existsSync } from 'node:fs'

const floors = [
  ['errors', 'quantities', 'statistics'],
  ['protocol', 'catalog'],
  ['ledger', 'understanding', 'energy'],
  ['environment'],
  ['strategies', 'caching', 'retrieval', 'memory'],
  ['routing', 'serving'],
  ['evaluation', 'agents'],
  ['gateway'],
  ['cli'],
]
// `errors` and `quantities` share the ground floor; errors may be used by both others there.
const sideways = new Set(['quantities>errors', 'statistics>errors'])
const floorOf = new Map(floors.flatMap((rooms, floor) => rooms.map((room) => [room, floor])))

const problems = []
for (const room of readdirSync('src', { withFileTypes: true }).filter((entry) => entry.isDirectory())) {
  if (!floorOf.has(room.name)) problems.push(`src/${room.name}: a room that is on no floor (see scripts/boundaries.mjs)`)
  for (const file of ['index.ts', 'README.md'])
    if (!existsSync(`src/${room.name}/${file}`) && room.name !== 'cli') problems.push(`src/${room.name}: has no ${file}`)
}

const result = await cruise(
  ['src'],
  {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    ruleSet: { forbidden: [{ name: 'no-circular', severity: 'error', from: {}, to: { circular: true } }] },
    validate: true,
  },
  undefined,
  { tsConfig: { options: {} } },
)
const { modules, summary } = result.output
const ours = modules.filter((module) => module.source.startsWith('src/'))
if (ours.length === 0) problems.push('the checker saw no modules at all')
for (const violation of summary.violations) problems.push(`${violation.rule.name}: ${violation.from} -> ${violation.to}`)

const roomOf = (path) => /^src\/([^/]+)\//.exec(path)?.[1]
for (const module of ours) {
  if (module.source.endsWith('.test.ts')) continue
  const from = roomOf(module.source)
  for (const dependency of module.dependencies) {
    const to = roomOf(dependency.resolved)
    if (from === undefined || to === undefined || from === to) continue
    const allowed = floorOf.get(to) < floorOf.get(from) || sideways.has(`${from}>${to}`)
    if (!allowed) problems.push(`${module.source} imports ${dependency.resolved}: ${from} may not use ${to}`)
    else if (dependency.resolved !== `src/${to}/index.ts`)
      problems.push(`${module.source} imports ${dependency.resolved}: go through src/${to}/index.ts`)
  }
}
if (problems.length > 0) {
  console.error(problems.join('\n'))
  process.exit(1)
}
console.log(`boundaries: ${ours.length} modules, ${summary.totalDependenciesCruised} dependencies, no violation`)
