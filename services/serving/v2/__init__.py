"""The Open Inference Protocol, version 2, over HTTP: for clients that speak it to MLServer, KServe or Triton.

`routes` answers, `requests` and `tensors` read, `inputs` makes rows of tensors, `responses` writes.
"""
