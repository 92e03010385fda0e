"""A client for local model servers that speak OpenAI's protocol: LM Studio, Ollama, llama.cpp, vLLM."""

from llm.answer import Check, usable_object
from llm.breaker import Breaker
from llm.client import ChatClient, Completion, Message, prompt_hash
from llm.errors import Kind, LlmError, Usage
from llm.preflight import ServerState
from llm.tokens import TokenEstimate, estimate_tokens

__all__ = [
    "Breaker",
    "ChatClient",
    "Check",
    "Completion",
    "Kind",
    "LlmError",
    "Message",
    "ServerState",
    "TokenEstimate",
    "Usage",
    "estimate_tokens",
    "prompt_hash",
    "usable_object",
]
