import type { DropPolicy } from '../codec.js'
import type { Request, Tool } from '../conversation.js'
import { tellForeign } from '../harmless-fields.js'
import { encodeContents, systemInstruction } from './encode-contents.js'
import { geminiTraits, type GeminiTraits } from './model-traits.js'
import { thinkingConfig } from './thinking.js'

const maxStopSequences = 5

/**
 * Writes a canonical request as a body of `models/{model}:generateContent` (and `:streamGenerateContent`; the model and
 * the streaming stand in the URL). What can't be expressed goes to `drop.unsupported` with the caller's own path. Cache marks,
 * labels and the user's id change no answer and are left out (Gemini caches by itself).
 */
export function encodeGeminiRequest(request: Request, model: string, drop: DropPolicy): Record<string, unknown> {
  const traits = geminiTraits(model)
  refuseInexpressible(request, drop)
  let leading = 0
  while (request.messages[leading]?.role === 'system' || request.messages[leading]?.role === 'developer') leading++

  const body: Record<string, unknown> = {}
  const instruction = systemInstruction(request.messages.slice(0, leading), drop)
  if (instruction !== undefined) body['systemInstruction'] = instruction
  body['contents'] = encodeContents(request.messages, leading, { third: traits.third, drop })
  const tools = encodeTools(request.tools, drop)
  if (tools !== undefined) {
    body['tools'] = tools
    const config = toolConfig(request)
    if (config !== undefined) body['toolConfig'] = { functionCallingConfig: config }
  }
  const generationConfig = encodeGenerationConfig(request, traits, drop)
  if (Object.keys(generationConfig).length > 0) body['generationConfig'] = generationConfig
  const tier = encodeServiceTier(request, drop)
  if (tier !== undefined) body['serviceTier'] = tier
  return body
}

function refuseInexpressible(request: Request, drop: DropPolicy): void {
  const { paths } = request
  if (request.parallelToolCalls === false)
    // Whoever reads the answer keeps the first call only (single-call.ts).
    drop.adjusted?.(
      paths['parallelToolCalls'] ?? 'parallel_tool_calls',
      'Gemini can not be kept from calling tools in parallel; calls after the first are left out',
    )
  if (request.logitBias !== undefined && Object.keys(request.logitBias).length > 0)
    drop.unsupported(paths['logitBias'] ?? 'logit_bias', 'Gemini has no token biases')
  if (request.verbosity !== undefined) drop.adjusted?.(paths['verbosity'] ?? 'verbosity', 'Gemini has no verbosity; left out')
  if (request.store === true) drop.unsupported(paths['store'] ?? 'store', 'Gemini stores no answers')
  if (request.user !== undefined) drop.adjusted?.(paths['user'] ?? 'user', 'Gemini takes no id of a user; left out')
  if (request.metadata !== undefined && Object.keys(request.metadata).length > 0)
    drop.adjusted?.(paths['metadata'] ?? 'metadata', 'Gemini keeps no labels; left out')
  if (request.promptCacheKey !== undefined)
    drop.adjusted?.(paths['promptCacheKey'] ?? 'prompt_cache_key', 'Gemini has no cache keys; left out')
  for (const field of request.extra) tellForeign(field, drop, 'the format of Gemini has no such field')
}

function encodeTools(tools: readonly Tool[] | undefined, drop: DropPolicy): Record<string, unknown>[] | undefined {
  if (tools === undefined || tools.length === 0) return undefined
  const declarations: Record<string, unknown>[] = []
  const native: Record<string, unknown>[] = []
  for (const [index, tool] of tools.entries()) {
    if (tool.type === 'native') {
      if (tool.format === 'gemini') native.push({ ...tool.value })
      else drop.unsupported(tool.at ?? `tools[${index}]`, 'this tool belongs to another provider')
      continue
    }
    const declaration: Record<string, unknown> = { name: tool.name }
    if (tool.description !== undefined) declaration['description'] = tool.description
    if (tool.parameters !== undefined && Object.keys(tool.parameters).length > 0) {
      // `$schema` only names the dialect.
      const { $schema: _dialect, ...schema } = tool.parameters
      declaration['parametersJsonSchema'] = schema
    }
    declarations.push(declaration)
  }
  const encoded = declarations.length > 0 ? [{ functionDeclarations: declarations }, ...native] : native
  return encoded.length === 0 ? undefined : encoded
}

/** `VALIDATED` holds calls to their schemas, which is what `strict` asks for; `ANY` does so anyway. */
function toolConfig(request: Request): Record<string, unknown> | undefined {
  const choice = request.toolChoice
  if (choice === 'none') return { mode: 'NONE' }
  if (choice === 'required') return { mode: 'ANY' }
  if (typeof choice === 'object') return { mode: 'ANY', allowedFunctionNames: [choice.name] }
  if (request.tools?.some((tool) => tool.type === 'function' && tool.strict === true) === true) return { mode: 'VALIDATED' }
  return choice === undefined ? undefined : { mode: 'AUTO' }
}

function encodeGenerationConfig(request: Request, traits: GeminiTraits, drop: DropPolicy): Record<string, unknown> {
  const config: Record<string, unknown> = {}
  if (request.maxOutputTokens !== undefined) config['maxOutputTokens'] = request.maxOutputTokens
  if (request.temperature !== undefined) config['temperature'] = request.temperature
  if (request.topP !== undefined) config['topP'] = request.topP
  if (request.topK !== undefined) config['topK'] = request.topK
  if (request.seed !== undefined) config['seed'] = request.seed
  if (request.n !== undefined && request.n !== 1) config['candidateCount'] = request.n
  if (request.presencePenalty !== undefined) config['presencePenalty'] = request.presencePenalty
  if (request.frequencyPenalty !== undefined) config['frequencyPenalty'] = request.frequencyPenalty
  const { stop } = request
  if (stop !== undefined && stop.length > 0) {
    if (stop.length > maxStopSequences)
      drop.unsupported(`${request.paths['stop'] ?? 'stop'}[${maxStopSequences}]`, `Gemini takes at most ${maxStopSequences} stop sequences`)
    config['stopSequences'] = stop.slice(0, maxStopSequences)
  }
  if (request.logprobs !== undefined) {
    config['responseLogprobs'] = true
    if (request.logprobs.top > 0) config['logprobs'] = request.logprobs.top
  }
  const format = request.responseFormat
  if (format?.type === 'json_object') config['responseMimeType'] = 'application/json'
  else if (format?.type === 'json_schema') {
    config['responseMimeType'] = 'application/json'
    const { $schema: _dialect, ...schema } = format.schema
    config['responseJsonSchema'] =
      format.description !== undefined && schema['description'] === undefined ? { ...schema, description: format.description } : schema
  }
  const thinking = thinkingConfig(request, traits, drop)
  if (thinking !== undefined) config['thinkingConfig'] = thinking
  return config
}

function encodeServiceTier(request: Request, drop: DropPolicy): string | undefined {
  switch (request.serviceTier) {
    case undefined:
    case 'auto':
      return undefined
    case 'default':
    case 'standard':
      return 'standard'
    case 'flex':
    case 'priority':
      return request.serviceTier
    default:
      drop.unsupported(request.paths['serviceTier'] ?? 'service_tier', `Gemini has no service tier "${request.serviceTier}"`)
      return undefined
  }
}
