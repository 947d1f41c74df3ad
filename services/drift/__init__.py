"""The judge: is the canary's traffic what it was trained for, and are its answers what was announced?"""
