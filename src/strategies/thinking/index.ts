export { answerForm, type InstantSignals } from './gate-inputs.js'
export {
  createThinkGate,
  loadThinkGate,
  type ModeEstimate,
  type ThinkChoice,
  type ThinkDecision,
  type ThinkEstimate,
  type ThinkGate,
  type ThinkGateSettings,
  type ThinkMode,
  type ThinkObservation,
} from './think-gate.js'
export { signalsOf, thinkIfNeeded, type ThinkEvent, type ThinkIfNeededSettings } from './think-if-needed.js'
export { statedAnswers, type StatedAnswer } from './stated-answers.js'
export { beginsAgain, splitRounds, type Round } from './rounds.js'
export { outcomeEfficiency, processEfficiency, validThinkingRate, type RoundTrace } from './efficiency.js'
export { ThinkingWatch, type EnoughReason, type WatchSettings } from './thinking-watch.js'
export { cutThinking, type CutEvent, type CutThinkingSettings } from './cut-thinking.js'
export { smallestAgreeing, type SizedSample } from './concise-sample.js'
export { highEntropy, tokenEntropy } from './token-entropy.js'
