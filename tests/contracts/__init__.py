"""What a role promises in writing, held against what it does: its argument specs, its README and its IAM policy.

python -m contracts check   says what does not agree (make lint)
python -m contracts docs    writes what is generated (make docs)
"""
