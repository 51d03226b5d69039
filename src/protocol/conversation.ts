/**
 * The canonical conversation: one form that every wire format is translated to and from. It is a superset of what the
 * formats can say; what a target can't say is refused with the caller's own field path (`at`), never lost in silence.
 */

/** How a request or an answer is written on the wire. */
export type WireFormat = 'openai-chat' | 'openai-responses' | 'anthropic-messages' | 'gemini' | 'openai-embeddings'

export type Role = 'system' | 'developer' | 'user' | 'assistant' | 'tool'

export type Effort = 'none' | 'minimal' | 'low' | 'medium' | 'high' | 'xhigh' | 'max'

/** Marks the end of a prefix that the provider should keep in its prompt cache. */
export interface CacheMark {
  readonly ttl?: '5m' | '1h' | undefined
}

/** Where an image, sound or file comes from. */
export type MediaSource =
  | { readonly kind: 'url'; readonly url: string }
  | { readonly kind: 'base64'; readonly mediaType: string; readonly data: string }
  /** A file uploaded to one provider earlier: means nothing to another. */
  | { readonly kind: 'file-id'; readonly id: string }

interface PartBase {
  /** Path of this part in the caller's body, for error messages. */
  readonly at?: string | undefined
  readonly cache?: CacheMark | undefined
}
export interface TextPart extends PartBase {
  readonly type: 'text'
  readonly text: string
}
export interface ImagePart extends PartBase {
  readonly type: 'image'
  readonly source: MediaSource
  readonly detail?: 'auto' | 'low' | 'high' | undefined
}
export interface AudioPart extends PartBase {
  readonly type: 'audio'
  readonly source: MediaSource
}
export interface FilePart extends PartBase {
  readonly type: 'file'
  readonly source: MediaSource
  readonly name?: string | undefined
}
export interface ReasoningPart extends PartBase {
  readonly type: 'reasoning'
  readonly text: string
  /**
   * Anthropic's signature, Gemini's thought signature, or OpenAI's encrypted content: must travel back unchanged, to the same family
   * only.
   */
  readonly signature?: string | undefined
  readonly signatureFormat?: WireFormat | undefined
  /** True when the provider gave only the sealed form. */
  readonly redacted?: boolean | undefined
  readonly id?: string | undefined
}
export interface ToolCallPart extends PartBase {
  readonly type: 'tool_call'
  readonly id: string
  readonly name: string
  /** The arguments as the JSON text that the model wrote (kept as text: it may not parse). */
  readonly arguments: string
  /** Gemini's thought signature of this call. */
  readonly signature?: string | undefined
}
export interface ToolResultPart extends PartBase {
  readonly type: 'tool_result'
  readonly callId: string
  readonly content: readonly (TextPart | ImagePart | FilePart)[]
  readonly isError?: boolean | undefined
}
export interface RefusalPart extends PartBase {
  readonly type: 'refusal'
  readonly text: string
}
/** A block that only one wire format knows (server tool results, citations, computer use …): goes out to that format only. */
export interface NativePart extends PartBase {
  readonly type: 'native'
  readonly format: WireFormat
  readonly value: Readonly<Record<string, unknown>>
}
export type Part = TextPart | ImagePart | AudioPart | FilePart | ReasoningPart | ToolCallPart | ToolResultPart | RefusalPart | NativePart

export interface Message {
  readonly role: Role
  readonly parts: readonly Part[]
  readonly name?: string | undefined
  readonly at?: string | undefined
}

export type JsonSchema = Readonly<Record<string, unknown>>

export interface FunctionTool {
  readonly type: 'function'
  readonly name: string
  readonly description?: string | undefined
  readonly parameters?: JsonSchema | undefined
  readonly strict?: boolean | undefined
  readonly cache?: CacheMark | undefined
  readonly at?: string | undefined
}
/** A tool that the provider itself runs (web search, code execution …): only its own wire format can carry it. */
export interface NativeTool {
  readonly type: 'native'
  readonly format: WireFormat
  readonly value: Readonly<Record<string, unknown>>
  readonly at?: string | undefined
}
export type Tool = FunctionTool | NativeTool

export type ToolChoice = 'auto' | 'none' | 'required' | { readonly name: string }

export type ResponseFormat =
  | { readonly type: 'text' }
  | { readonly type: 'json_object' }
  | {
      readonly type: 'json_schema'
      readonly name?: string | undefined
      readonly description?: string | undefined
      readonly schema: JsonSchema
      readonly strict?: boolean | undefined
    }

export interface ReasoningSettings {
  readonly effort?: Effort | undefined
  /** A ceiling on reasoning tokens, where the caller gave one instead of (or beside) an effort. */
  readonly maxTokens?: number | undefined
  /** Whether the caller wants to see the reasoning (or its summary). `undefined`: the format's own default. */
  readonly visible?: boolean | undefined
  readonly summary?: 'auto' | 'concise' | 'detailed' | undefined
}

/** The bytes the caller sent, for providers that speak the same format: they are forwarded, not written again. */
export interface WireBody {
  readonly format: WireFormat
  readonly bytes: Uint8Array
  /** Byte spans of the values of the body's top-level fields, as found by `scanTopLevel`. */
  readonly fields: ReadonlyMap<string, { readonly start: number; readonly end: number }>
  /** The parsed body. */
  readonly json: Readonly<Record<string, unknown>>
}

/** A field that the canonical form doesn't know. Targets of another format refuse it, or drop it where that is allowed. */
export interface ExtraField {
  /** The format it came in: a target of the same format takes it back, also after a strategy changed the request (`edit`). */
  readonly format?: WireFormat | undefined
  readonly name: string
  readonly path: string
  readonly value: unknown
}

/** A request for an answer, in canonical form. */
export interface Request {
  /** The model the caller named. */
  readonly model: string
  readonly messages: readonly Message[]
  readonly tools?: readonly Tool[] | undefined
  readonly toolChoice?: ToolChoice | undefined
  readonly parallelToolCalls?: boolean | undefined
  readonly maxOutputTokens?: number | undefined
  readonly temperature?: number | undefined
  readonly topP?: number | undefined
  readonly topK?: number | undefined
  readonly stop?: readonly string[] | undefined
  readonly seed?: number | undefined
  /** Number of choices wanted; 1 when absent. */
  readonly n?: number | undefined
  readonly frequencyPenalty?: number | undefined
  readonly presencePenalty?: number | undefined
  readonly logitBias?: Readonly<Record<string, number>> | undefined
  /** Token log-probabilities wanted, with this many alternatives each. */
  readonly logprobs?: { readonly top: number } | undefined
  readonly responseFormat?: ResponseFormat | undefined
  readonly reasoning?: ReasoningSettings | undefined
  readonly verbosity?: 'low' | 'medium' | 'high' | undefined
  readonly serviceTier?: string | undefined
  readonly user?: string | undefined
  readonly metadata?: Readonly<Record<string, string>> | undefined
  readonly promptCacheKey?: string | undefined
  readonly store?: boolean | undefined
  readonly stream: boolean
  /** True when the caller asked for usage in the stream in so many words. */
  readonly streamUsage?: boolean | undefined
  /** Path in the caller's body of each canonical field that was present, such as `maxOutputTokens → max_completion_tokens`. */
  readonly paths: Readonly<Partial<Record<string, string>>>
  readonly extra: readonly ExtraField[]
  /** Present while the canonical form says the same as the bytes. A strategy that changes the request drops it (`edit`). */
  readonly wire?: WireBody | undefined
}

/** A changed copy of a request; the caller's bytes no longer say the same and are left behind. */
export function edit(request: Request, changes: Partial<Omit<Request, 'wire'>>): Request {
  const { wire: _stale, ...rest } = request
  return { ...rest, ...changes }
}

export interface EmbeddingRequest {
  readonly model: string
  /** Texts, or token arrays. */
  readonly inputs: readonly (string | readonly number[])[]
  readonly dimensions?: number | undefined
  readonly encoding: 'float' | 'base64'
  readonly user?: string | undefined
  readonly extra: readonly ExtraField[]
  readonly wire?: WireBody | undefined
}
