"""The Open Inference Protocol, version 2, over HTTP: for clients that speak it to MLServer, KServe or Triton.

`routes` answers by way of `work`: `requests` and `tensors` read, `inputs` makes rows of tensors, `responses` writes.
"""
