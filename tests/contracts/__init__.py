"""What is promised in writing, held against what there is: a role's argument specs, its README and its IAM policy, and the guides.

python -m contracts check   says what does not agree (make lint)
python -m contracts docs    writes what is generated (make docs)
python -m contracts mark    says in the pictures what code they are of (make picture)
"""
