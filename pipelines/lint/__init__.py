"""`mainline lint`: the ways in which the gates of Argo Rollouts fail open, found in YAML before a cluster sees it.

`sources` reads files and built overlays, `manifests` turns them into Rollouts, templates and their uses, `rules` judge
them, `ignores` takes away what somebody answers for, `formats` prints. All but `sources` is pure.
"""
