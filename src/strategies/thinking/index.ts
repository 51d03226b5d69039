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
