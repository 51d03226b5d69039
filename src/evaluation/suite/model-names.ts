import { presetNames } from '../../environment/index.js'
import { InvalidRequest } from '../../errors/index.js'

/** promptfoo's names of providers where they differ from Bursar's. */
const RENAMED: ReadonlyMap<string, string> = new Map([
  ['google', 'gemini'],
  ['togetherai', 'together'],
  ['azureopenai', 'azure'],
  ['azure', 'azure'],
  ['bedrock', 'bedrock'],
  ['vertex', 'vertex'],
  ['databricks', 'databricks'],
])
/** Words between a provider and its model that only say which of its interfaces is spoken: Bursar chooses that. */
const INTERFACES = new Set(['chat', 'completion', 'completions', 'responses', 'messages', 'embedding', 'embeddings'])
const PROVIDERS = new Set<string>([...presetNames, ...RENAMED.keys()])
const NO_MODELS = /^(?:file|exec|python|https?|wss?|webhook|javascript|script|echo|browser|mcp|sequence|package|promptfoo)(?::|$)/

/**
 * Bursar's name of a model that a test file names in promptfoo's way (`openai:chat:gpt-5`, `anthropic:messages:claude-sonnet-4-5`) or
 * in Bursar's (`openai/gpt-5`, an alias, an arm, `auto`, `auto:cheap`; with `bursar:` before it, it is taken as it stands). Throws
 * `InvalidRequest` for what is no model: scripts, files, addresses.
 */
export function modelName(said: string): string {
  const name = said.trim()
  if (name === '') throw new InvalidRequest('The name of a model is empty.', {})
  if (name.startsWith('bursar:')) return name.slice(7)
  if (NO_MODELS.test(name))
    throw new InvalidRequest(
      `"${name}" is no model that Bursar can call. Name models as your configuration does: openai/gpt-5-mini, an alias, auto:cheap.`,
      {},
    )
  const [provider = '', ...rest] = name.split(':')
  const key = provider.toLowerCase()
  if (rest.length === 0 || key === 'auto' || provider.includes('/') || !PROVIDERS.has(key)) return name
  const model = INTERFACES.has(rest[0] ?? '') && rest.length > 1 ? rest.slice(1) : rest
  return `${RENAMED.get(key) ?? key}/${model.join(':')}`
}
